/* Threads that wait for locks in unusual ways: argument 1 says which. Says "ready PID"
 * when they all wait, also in a forked child, and waits for the end of its input. */
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

static pthread_mutex_t first = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t second = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t third = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t never = PTHREAD_COND_INITIALIZER;
static sem_t said;

struct thread {
    const char *name;
    void (*run)(void); /* posts `said` when others may go on */
    pthread_t thread;
    pid_t tid;
};

static void *thread_main(void *argument)
{
    struct thread *thread = argument;
    thread->tid = gettid();
    pthread_setname_np(pthread_self(), thread->name);
    thread->run();
    return NULL;
}

static void until_said(void)
{
    while (sem_wait(&said) != 0) {
    }
}

static void start(struct thread *thread)
{
    if (pthread_create(&thread->thread, NULL, thread_main, thread) != 0) {
        _exit(3);
    }
    until_said();
}

static void until_asleep(pid_t tid)
{
    char path[64];
    char text[256];
    snprintf(path, sizeof(path), "/proc/self/task/%d/stat", (int)tid);
    do {
        usleep(5000);
        int fd = open(path, O_RDONLY);
        ssize_t length = read(fd, text, sizeof(text) - 1);
        text[length < 0 ? 0 : length] = '\0';
        close(fd);
    } while (strstr(text, ") S ") == NULL);
}

static void rest(void)
{
    for (;;) {
        pause();
    }
}

static void ready(void)
{
    printf("ready %d\n", (int)getpid());
    fflush(stdout);
}

/* ---- What a thread does ---- */

static void first_and_end(void)
{
    pthread_mutex_lock(&first);
    sem_post(&said);
}

static void first_and_rest(void)
{
    pthread_mutex_lock(&first);
    sem_post(&said);
    rest();
}

static void second_and_rest(void)
{
    pthread_mutex_lock(&second);
    sem_post(&said);
    rest();
}

static void only_first(void)
{
    sem_post(&said);
    pthread_mutex_lock(&first);
}

static void only_second(void)
{
    sem_post(&said);
    pthread_mutex_lock(&second);
}

static void first_then_second(void)
{
    pthread_mutex_lock(&first);
    sem_post(&said);
    pthread_mutex_lock(&second);
}

static void second_then_first(void)
{
    pthread_mutex_lock(&second);
    sem_post(&said);
    pthread_mutex_lock(&first);
}

static void third_then_first(void)
{
    pthread_mutex_lock(&third);
    sem_post(&said);
    pthread_mutex_lock(&first);
}

static void third_then_second(void)
{
    pthread_mutex_lock(&third);
    sem_post(&said);
    pthread_mutex_lock(&second);
}

/* ---- Out of a wait by a jump ---- */

static sigjmp_buf place;
static void *unseen_place[5];

static void jump(int number)
{
    (void)number;
    siglongjmp(place, 1);
}

/* Not by a function of the C library. */
static void jump_unseen(int number)
{
    (void)number;
    __builtin_longjmp(unseen_place, 1);
}

static void jumps_out(void)
{
    pthread_mutex_lock(&first);
    if (sigsetjmp(place, 1) == 0) {
        sem_post(&said);
        pthread_mutex_lock(&second);
    }
    sem_post(&said);
    rest();
}

static void jumps_out_unseen(void)
{
    pthread_mutex_lock(&first);
    if (__builtin_setjmp(unseen_place) == 0) {
        sem_post(&said);
        pthread_mutex_lock(&second);
    }
    sem_post(&said);
    rest();
}

/* "jumper" has the first, and no longer waits for the second. That one "waits" has, who
 * waits for the first. */
static void jump_out(void (*run)(void), void (*handler)(int))
{
    static struct thread jumper = {.name = "jumper"};
    static struct thread waits = {.name = "waits", .run = second_then_first};
    jumper.run = run;
    signal(SIGUSR1, handler);
    pthread_mutex_lock(&second);
    start(&jumper);
    until_asleep(jumper.tid);
    pthread_kill(jumper.thread, SIGUSR1);
    until_said();
    pthread_mutex_unlock(&second);
    start(&waits);
    until_asleep(waits.tid);
}

static void jumped(void)
{
    jump_out(jumps_out, jump);
}

static void jumped_unseen(void)
{
    jump_out(jumps_out_unseen, jump_unseen);
}

/* ---- In a signal handler, within another wait ---- */

static void wait_for_third(int number)
{
    (void)number;
    sem_post(&said);
    pthread_mutex_lock(&third);
}

/* "twice" has the first, waits for the second, and in a handler for the third. */
static void handler(void)
{
    static struct thread rests = {.name = "rests", .run = second_and_rest};
    static struct thread twice = {.name = "twice", .run = first_then_second};
    static struct thread other = {.name = "other", .run = third_then_first};
    signal(SIGUSR1, wait_for_third);
    start(&rests);
    start(&twice);
    until_asleep(twice.tid);
    start(&other);
    pthread_kill(twice.thread, SIGUSR1);
    until_said();
    until_asleep(twice.tid);
    until_asleep(other.tid);
}

/* ---- Memory that goes ---- */

static pthread_mutex_t *mapped;

static void for_mapped(void)
{
    sem_post(&said);
    pthread_mutex_lock(mapped);
}

static void unmapped(void)
{
    static struct thread waits = {.name = "waits", .run = for_mapped};
    mapped =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    pthread_mutex_init(mapped, NULL);
    pthread_mutex_lock(mapped);
    start(&waits);
    until_asleep(waits.tid);
    mprotect(mapped, 4096, PROT_NONE); /* and nobody else gets the addresses */
}

/* ---- A mutex that serves as a semaphore ---- */

static void first_again_and_again(void)
{
    sem_post(&said);
    for (;;) {
        pthread_mutex_lock(&first);
    }
}

static void unlock_first(void)
{
    sem_post(&said);
    for (;;) {
        usleep(300);
        pthread_mutex_unlock(&first);
    }
}

/* "waits" takes it again and again, and another thread unlocks it. */
static void handed(void)
{
    static struct thread waits = {.name = "waits", .run = first_again_and_again};
    static struct thread gives = {.name = "gives", .run = unlock_first};
    start(&waits);
    start(&gives);
}

/* ---- fork ---- */

/* The thread that forks has the second; in the child it is the main thread, and waits
 * for the third, which "other" has, who waits for the second. Another thread has the
 * first, and is not in the child. */
static void forks(void)
{
    pthread_mutex_lock(&second);
    fflush(stdout);
    if (fork() != 0) {
        sem_post(&said);
        rest();
    }
    static struct thread heir = {.name = "heir", .run = only_first};
    static struct thread other = {.name = "other", .run = third_then_second};
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    start(&heir);
    start(&other);
    until_asleep(heir.tid);
    until_asleep(other.tid);
    ready();
    pthread_mutex_lock(&third);
}

static void forked(void)
{
    static struct thread rests = {.name = "rests", .run = first_and_rest};
    static struct thread forking = {.name = "forking", .run = forks};
    start(&rests);
    start(&forking);
}

/* ---- A number that is used again ---- */

/* The next thread gets this number. */
static void choose(pid_t number)
{
    char text[16];
    int length = snprintf(text, sizeof(text), "%d", (int)number - 1);
    while (tgkill(getpid(), number, 0) == 0) {
        usleep(1000);
    }
    int fd = open("/proc/sys/kernel/ns_last_pid", O_WRONLY);
    if (fd < 0 || write(fd, text, (size_t)length) != length) {
        _exit(4);
    }
    close(fd);
}

/* "dead" has ended with the first. "waits" has the second, and waits for the first.
 * "heir" has the number of the dead one, and waits for the second. */
static void reused(void)
{
    static struct thread dead = {.name = "dead", .run = first_and_end};
    static struct thread waits = {.name = "waits", .run = second_then_first};
    static struct thread heir = {.name = "heir", .run = only_second};
    start(&dead);
    pthread_join(dead.thread, NULL);
    start(&waits);
    choose(dead.tid);
    start(&heir);
    if (heir.tid != dead.tid) {
        _exit(5);
    }
    until_asleep(waits.tid);
    until_asleep(heir.tid);
}

/* ---- When the kernel does not say where a thread is ---- */

static sem_t go;

static void third_and_condition(void)
{
    pthread_mutex_lock(&third);
    sem_post(&said);
    pthread_cond_wait(&never, &third);
}

static void first_go_second(void)
{
    pthread_mutex_lock(&first);
    sem_post(&said);
    while (sem_wait(&go) != 0) {
    }
    pthread_mutex_lock(&second);
}

/* "rests" waits for a condition variable, and the others for each other. */
static void no_rights(void)
{
    static struct thread rests = {.name = "rests", .run = third_and_condition};
    static struct thread one = {.name = "one", .run = first_go_second};
    static struct thread two = {.name = "two", .run = second_then_first};
    if (setgid(65534) != 0 || setuid(65534) != 0) {
        _exit(4);
    }
    start(&rests);
    start(&one);
    start(&two);
    until_asleep(two.tid);
    sem_post(&go);
    usleep(20000);
    until_asleep(one.tid);
    until_asleep(rests.tid);
}

int main(int count, char **arguments)
{
    static const struct {
        const char *name;
        void (*run)(void);
    } ways[] = {{"jumped", jumped},       {"jumped-unseen", jumped_unseen},
                {"handler", handler},     {"unmapped", unmapped},
                {"forked", forked},       {"reused", reused},
                {"no-rights", no_rights}, {"handed", handed}};
    sem_init(&said, 0, 0);
    sem_init(&go, 0, 0);
    for (unsigned i = 0; count > 1 && i < sizeof(ways) / sizeof(ways[0]); i++) {
        if (strcmp(arguments[1], ways[i].name) == 0) {
            ways[i].run();
            ready();
            while (getchar() != EOF) {
            }
            return 0;
        }
    }
    return 2;
}
