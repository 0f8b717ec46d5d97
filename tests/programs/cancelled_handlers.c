/* Threads that wait are cancelled while a signal handler runs in them, which opens,
 * copies, maps and makes timers: in any moment of that. Each has the result of a thread
 * that was cancelled, and what the main thread does meanwhile goes on. Prints how many
 * there were. */
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define THREADS 1000
#define ROUNDS 20 /* in the handler */

static atomic_bool is_cancelled;
static int delay_ns;
static int least; /* descriptors from here on are the handlers' */

static void make_all(void)
{
    timer_t timer;
    struct sigevent event = {.sigev_notify = SIGEV_NONE};
    if (timer_create(CLOCK_MONOTONIC, &event, &timer) == 0) {
        timer_delete(timer);
    }
    void *memory = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory != MAP_FAILED) {
        munmap(memory, 4096);
    }
    close(dup(0));
}

static void on_signal(int number)
{
    close(open("/dev/null", O_RDONLY | O_CLOEXEC));
    for (int i = 0; i < ROUNDS; i++) {
        make_all();
    }
    (void)number;
}

static void *wait_for_ever(void *semaphore)
{
    while (sem_wait(semaphore) != 0) {
    }
    return semaphore;
}

/* What is left on the stack looks like no address. */
__attribute__((noinline)) static void stack_fill(void)
{
    volatile char filled[4096];
    for (size_t i = 0; i < sizeof(filled); i++) {
        filled[i] = 0x55;
    }
}

/* The signal comes as its first wait begins, when it has been cancelled already. */
static void *wait_soon(void *semaphore)
{
    timer_t timer;
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL | SIGEV_THREAD_ID,
                             .sigev_signo = SIGUSR2};
    const struct itimerspec set = {.it_value.tv_nsec = 1 + delay_ns};
    event._sigev_un._tid = gettid();
    while (!atomic_load(&is_cancelled)) {
    }
    timer_create(CLOCK_MONOTONIC, &event, &timer);
    stack_fill();
    timer_settime(timer, 0, &set, NULL);
    return wait_for_ever(semaphore);
}

static int64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void spin_us(int us)
{
    int64_t end = now_us() + us;
    while (now_us() < end) {
    }
}

int main(void)
{
    int cancelled = 0;
    signal(SIGUSR2, on_signal);
    least = dup(0);
    for (int i = 0; i < THREADS; i++) {
        sem_t never;
        pthread_t thread;
        void *result = NULL;
        make_all();
        sem_init(&never, 0, 0);
        bool soon = i % 2 == 0;
        atomic_store(&is_cancelled, false);
        delay_ns = i % 50 * 100;
        if (pthread_create(&thread, NULL, soon ? wait_soon : wait_for_ever, &never) !=
            0) {
            return 3;
        }
        if (!soon) {
            spin_us(i % 200);
            pthread_kill(thread, SIGUSR2);
            spin_us(i % 97);
        }
        pthread_cancel(thread);
        atomic_store(&is_cancelled, true);
        pthread_join(thread, &result);
        cancelled += result == PTHREAD_CANCELED;
        close_range((unsigned)least + 1, ~0U, 0); /* of handlers that were left */
    }
    printf("%d cancelled\n", cancelled);
    return cancelled == THREADS ? 0 : 1;
}
