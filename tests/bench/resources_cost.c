/*
 * What it costs to make something and to end it, at the end of a stack of 12 frames.
 * For each line NAME PAIRS of its input it prints the processor time of a pair in
 * nanoseconds, that of all its threads and children.
 */
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define FRAMES 12 /* with those of the functions below, and those below main */
#define CONTENDERS 2
#define MAPPING_BYTES ((size_t)65536)
#define TABLE_BYTES ((size_t)2 * 1024 * 1024) /* of memory, by a page of the tables */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void must(int good)
{
    if (!good) {
        perror("resources_cost");
        exit(EXIT_FAILURE);
    }
}

static void do_null(void)
{
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    must(fd >= 0 && close(fd) == 0);
}

/* A file with a path of the usual length. */
static void do_file(void)
{
    int fd = open("/usr/share/common-licenses/BSD", O_RDONLY | O_CLOEXEC);
    must(fd >= 0 && close(fd) == 0);
}

static void do_stream(void)
{
    FILE *stream = fopen("/usr/share/common-licenses/BSD", "re");
    must(stream != NULL && fclose(stream) == 0);
}

static void do_socket(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    must(fd >= 0 && close(fd) == 0);
}

static void *thread_main(void *unused)
{
    return unused;
}

static void do_thread(void)
{
    pthread_t thread;
    must(pthread_create(&thread, NULL, thread_main, NULL) == 0 &&
         pthread_join(thread, NULL) == 0);
}

static void do_timer(void)
{
    struct sigevent event = {.sigev_notify = SIGEV_NONE};
    timer_t timer;
    must(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0 &&
         timer_delete(timer) == 0);
}

/* A place between mappings of another kind, which stay: wherever else the kernel chose,
 * it might have to make a page of its tables first, and to free it afterwards. */
static void *mapping_place(void)
{
    static unsigned char *place;
    if (place == NULL) {
        size_t bytes = 2 * TABLE_BYTES;
        unsigned char *around =
            mmap(NULL, bytes, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        must(around != MAP_FAILED);
        uintptr_t start = ((uintptr_t)around + TABLE_BYTES - 1) & ~(TABLE_BYTES - 1);
        place = (unsigned char *)start;
        must(*(volatile unsigned char *)place == 0);
        place += TABLE_BYTES / 2;
        must(munmap(place, MAPPING_BYTES) == 0);
    }
    return place;
}

static void do_mapping(void)
{
    const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE;
    void *memory =
        mmap(mapping_place(), MAPPING_BYTES, PROT_READ | PROT_WRITE, flags, -1, 0);
    must(memory != MAP_FAILED && munmap(memory, MAPPING_BYTES) == 0);
}

static void do_child(void)
{
    int status = -1;
    pid_t child = fork();
    if (child == 0) {
        _exit(0);
    }
    must(waitpid(child, &status, 0) == child && status == 0);
}

static void do_lock(void)
{
    pthread_mutex_lock(&lock);
    pthread_mutex_unlock(&lock);
}

/* Who has the lock gives way: so on one processor the other thread must wait for it. */
static void do_contended(void)
{
    pthread_mutex_lock(&lock);
    sched_yield();
    pthread_mutex_unlock(&lock);
}

static const struct pair {
    const char *name;
    void (*run)(void);
    int threads;
} pairs[] = {
    {"null", do_null, 0},       {"file", do_file, 0},
    {"stream", do_stream, 0},   {"socket", do_socket, 0},
    {"thread", do_thread, 0},   {"timer", do_timer, 0},
    {"mapping", do_mapping, 0}, {"child", do_child, 0},
    {"lock", do_lock, 0},       {"contended", do_contended, CONTENDERS},
};

#define PAIRS (sizeof(pairs) / sizeof(pairs[0]))

struct task {
    const struct pair *pair;
    unsigned long count;
};

/* Makes the stack as deep as it should be, then repeats the pair. */
static __attribute__((noinline)) void repeat(const struct task *task, unsigned frames)
{
    if (frames > 0) {
        repeat(task, frames - 1);
        __asm__ volatile(""); /* no tail call */
        return;
    }
    for (unsigned long i = 0; i < task->count; i++) {
        task->pair->run();
    }
}

static void *contender_main(void *argument)
{
    repeat(argument, FRAMES - 5);
    return NULL;
}

static void run(struct task *task)
{
    pthread_t threads[CONTENDERS];
    for (int i = 0; i < task->pair->threads; i++) {
        must(pthread_create(&threads[i], NULL, contender_main, task) == 0);
    }
    for (int i = 0; i < task->pair->threads; i++) {
        must(pthread_join(threads[i], NULL) == 0);
    }
    if (task->pair->threads == 0) {
        repeat(task, FRAMES - 7);
    }
}

/* The processor time of this process and of the children that it has waited for. */
static double used_ns(void)
{
    struct timespec own;
    struct rusage children;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &own);
    getrusage(RUSAGE_CHILDREN, &children);
    double seconds =
        (double)(own.tv_sec + children.ru_utime.tv_sec + children.ru_stime.tv_sec);
    double micros = (double)(children.ru_utime.tv_usec + children.ru_stime.tv_usec);
    return seconds * 1e9 + micros * 1e3 + (double)own.tv_nsec;
}

static const struct pair *pair_of(const char *name)
{
    for (size_t i = 0; i < PAIRS; i++) {
        if (strcmp(pairs[i].name, name) == 0) {
            return &pairs[i];
        }
    }
    fprintf(stderr, "resources_cost: no pair '%s'\n", name);
    exit(EXIT_FAILURE);
}

int main(void)
{
    char name[32];
    struct task task;
    while (scanf("%31s %lu", name, &task.count) == 2) {
        task.pair = pair_of(name);
        double before = used_ns();
        run(&task);
        printf("%.1f\n", (used_ns() - before) / (double)task.count);
        fflush(stdout);
    }
    return EXIT_SUCCESS;
}
