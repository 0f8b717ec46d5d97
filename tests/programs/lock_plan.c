/*
 * Carries out plans of locking, step by step: a thread takes the next step only when
 * the one before has come to what the plan says. So the end is the same in every run.
 * A line of standard input is one of these; locks and threads are numbered from 0 on:
 *
 *   plan                              begins another one; the last one's threads stay
 *   mutex TYPE [pi] [robust] [processes] [shared] [c11]   adds a lock; its condition
 *                                     variable has the same number
 *   rwlock TYPE [processes] [shared]   TYPE: readers, writers (which it prefers)
 *                                     processes: its attribute says that several
 *                                     have it; shared: its memory
 *   thread NAME [main]                adds a thread: of this name; the first one
 *   THREAD CALL NUMBER WAY RESULT     the thread calls; see calls below
 *   THREAD later RESULT               what becomes of a call that blocked before
 *   show                              prints the numbers of threads and locks, and that
 *                                     of the thread that forked before it did
 *
 * CALL: see calls; NUMBER is that of a lock or a thread; of fork, the thread itself.
 * WAY chooses between functions that do the same. RESULT is the number that the call
 * returns; or `lock`, `condition` or `elsewhere`, the place where the thread is
 * blocked; or `ends`. Anything else ends the program with 1 and a message.
 */
#include <ctype.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lock_plan.h"

enum { THREADS = 16, PATIENCE = 30 /* seconds */ };

enum state { IDLE, CALLING, RETURNED };

struct thread {
    char name[16];
    pthread_t thread;
    atomic_int number; /* the kernel's */
    sem_t called;
    _Atomic(enum state) state;
    int (*call)(int number, int way); /* NULL: the thread ends */
    int argument;
    int way;
    int result;
};

static struct thread *threads[THREADS]; /* a plan's, as long as the process lives */
static int thread_count;
static sem_t main_wanted;
static struct thread *forked;              /* in a child */
static int number_before;                  /* of that thread */
static struct thread *_Atomic main_thread; /* the plan's thread that main becomes */

static void plans_begin(void);

/* ---- the calls ---- */

static int call_join(int number, int way)
{
    (void)way;
    return pthread_join(threads[number]->thread, NULL);
}

/* The thread goes on in a child, as its only thread. Its process ends with the child.
 */
static int call_fork(int number, int way)
{
    (void)way;
    int status = 1;
    pid_t child = fork();
    if (child != 0) {
        waitpid(child, &status, 0);
        _exit(WEXITSTATUS(status));
    }
    number_before = atomic_exchange(&threads[number]->number, gettid());
    forked = threads[number];
    plans_begin();
    return 0;
}

static int call_cancel(int number, int way)
{
    (void)way;
    return pthread_cancel(threads[number]->thread);
}

#define CALL(name)                                                                     \
    {                                                                                  \
#name, call_##name                                                             \
    }
static const struct call {
    const char *name;
    int (*call)(int number, int way);
} calls[] = {
    CALL(lock),        CALL(timedlock), CALL(trylock), CALL(unlock),
    CALL(consistent),  CALL(wait),      CALL(signal),  CALL(rdlock),
    CALL(timedrdlock), CALL(tryrdlock), CALL(wrlock),  CALL(timedwrlock),
    CALL(trywrlock),   CALL(rwunlock),  CALL(join),    CALL(cancel),
    CALL(fork),        {"end", NULL},   {NULL, NULL},
};

/* ---- the threads ---- */

static void *thread_run(void *argument)
{
    struct thread *thread = argument;
    pthread_setname_np(pthread_self(), thread->name);
    atomic_store(&thread->number, gettid());
    for (;;) {
        while (sem_wait(&thread->called) != 0) {
        }
        if (thread->call == NULL) {
            return NULL;
        }
        thread->result = thread->call(thread->argument, thread->way);
        atomic_store(&thread->state, RETURNED);
    }
}

/* Tells whether the condition comes true while there is patience. */
static bool comes(bool (*condition)(struct thread *thread, const char *detail),
                  struct thread *thread, const char *detail)
{
    struct timespec begin;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    for (;;) {
        if (condition(thread, detail)) {
            return true;
        }
        clock_gettime(CLOCK_MONOTONIC, &now);
        if (now.tv_sec - begin.tv_sec > PATIENCE) {
            return false;
        }
        usleep(20);
    }
}

/* One line of a file that the kernel has for the thread. Returns false if it has none
 * any more. */
static bool task_line(const struct thread *thread, const char *file, char line[256])
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/self/task/%d/%s", atomic_load(&thread->number),
             file);
    FILE *opened = fopen(path, "re");
    bool read = opened != NULL && fgets(line, 256, opened) != NULL;
    if (opened != NULL) {
        fclose(opened);
    }
    return read;
}

/* The first thread of a process stays until the process ends, as a zombie. */
static bool has_ended(struct thread *thread, const char *detail)
{
    char line[256];
    (void)detail;
    if (!task_line(thread, "stat", line)) {
        return true;
    }
    const char *state = strrchr(line, ')');
    return state != NULL && state[2] == 'Z';
}

static bool is_within(uint64_t address, const void *start, size_t bytes)
{
    return address - (uint64_t)(uintptr_t)start < bytes;
}

/* Where in futex(2) the kernel says the thread is: "" if it is not there, or waits to
 * be called. */
static const char *blocked_at(const struct thread *thread)
{
    char line[256];
    long call;
    unsigned long long address;
    if (atomic_load(&thread->state) != CALLING || !task_line(thread, "syscall", line) ||
        sscanf(line, "%ld %llx", &call, &address) != 2 || call != SYS_futex ||
        is_within(address, &thread->called, sizeof(thread->called))) {
        return "";
    }
    for (int i = 0; i < lock_count; i++) {
        if (is_within(address, &locks[i]->mutex, sizeof(locks[i]->rwlock))) {
            return "lock";
        }
        if (is_within(address, &locks[i]->condition, sizeof(locks[i]->condition))) {
            return "condition";
        }
    }
    return "elsewhere";
}

/* It is there for more than a moment. */
static bool is_blocked(struct thread *thread, const char *place)
{
    for (int i = 0; i < 3; i++) {
        if (strcmp(blocked_at(thread), place) != 0) {
            return false;
        }
        usleep(50);
    }
    return true;
}

static bool has_returned(struct thread *thread, const char *detail)
{
    (void)detail;
    return atomic_load(&thread->state) == RETURNED;
}

/* Waits for what the plan says. */
static void result_await(struct thread *thread, const char *expected)
{
    char line[256] = "";
    if (strcmp(expected, "ends") == 0) {
        need(comes(has_ended, thread, NULL), "the thread has not ended");
    } else if (isdigit(expected[0])) {
        if (!comes(has_returned, thread, NULL)) {
            task_line(thread, "syscall", line);
            fail("%s has not returned %s: system call %s", thread->name, expected,
                 line);
        }
        atomic_store(&thread->state, IDLE);
        if (thread->result != atoi(expected)) {
            fail("%s: returned %d instead of %s", thread->name, thread->result,
                 expected);
        }
    } else if (!comes(is_blocked, thread, expected)) {
        task_line(thread, "syscall", line);
        fail("%s is not blocked at the %s, but %s: state %d, system call %s",
             thread->name, expected, blocked_at(thread), atomic_load(&thread->state),
             line);
    }
}

static void thread_call(struct thread *thread, const char *name, int number, int way)
{
    const struct call *call = calls;
    while (call->name != NULL && strcmp(call->name, name) != 0) {
        call++;
    }
    need(call->name != NULL, "unknown call");
    need(atomic_load(&thread->state) == IDLE, "the thread is in another call");
    thread->call = call->call;
    thread->argument = number;
    thread->way = way;
    atomic_store(&thread->state, CALLING);
    sem_post(&thread->called);
}

/* ---- the plan ---- */

static bool has_number(struct thread *thread, const char *detail)
{
    (void)detail;
    return atomic_load(&thread->number) != 0;
}

static void thread_add(const char *line)
{
    struct thread *thread = calloc(1, sizeof(*thread));
    need(thread_count < THREADS && thread != NULL, "room for a thread");
    need(sscanf(line, "thread %15s", thread->name) == 1, "name of the thread");
    sem_init(&thread->called, 0, 0);
    if (has(line, "main")) {
        need(atomic_load(&main_thread) == NULL, "there is one main thread");
        atomic_store(&main_thread, thread);
        sem_post(&main_wanted);
    } else {
        need(pthread_create(&thread->thread, NULL, thread_run, thread) == 0,
             "pthread_create");
    }
    need(comes(has_number, thread, NULL), "the thread has not begun");
    threads[thread_count++] = thread;
}

static void show(void)
{
    for (int i = 0; i < lock_count; i++) {
        printf("lock %d %p\n", i, (void *)&locks[i]->mutex);
    }
    for (int i = 0; i < thread_count; i++) {
        printf("thread %d %d\n", i, atomic_load(&threads[i]->number));
    }
    if (forked != NULL) {
        printf("was %d\n", number_before);
    }
    printf("ready\n");
    fflush(stdout);
}

static void step(const char *line)
{
    int thread;
    int number;
    int way;
    char name[16] = "";
    char expected[16];
    if (sscanf(line, "%d later %15s", &thread, expected) == 2) {
        need(thread < thread_count, "no such thread");
    } else {
        need(sscanf(line, "%d %15s %d %d %15s", &thread, name, &number, &way,
                    expected) == 5 &&
                 thread < thread_count,
             line);
        thread_call(threads[thread], name, number, way);
    }
    if (strcmp(name, "fork") == 0) {
        pause(); /* the child goes on */
    }
    result_await(threads[thread], expected);
}

static void line_obey(const char *line)
{
    line_number++;
    if (strncmp(line, "plan", 4) == 0) {
        lock_count = 0;
        thread_count = 0;
    } else if (strncmp(line, "mutex", 5) == 0 || strncmp(line, "rwlock", 6) == 0) {
        lock_add(line);
    } else if (strncmp(line, "thread", 6) == 0) {
        thread_add(line);
    } else if (strncmp(line, "show", 4) == 0) {
        show();
    } else {
        step(line);
    }
}

static void *plans_run(void *unused)
{
    char line[256];
    pthread_setname_np(pthread_self(), "plans");
    if (forked != NULL) {
        result_await(forked, "0");
    }
    while (fgets(line, sizeof(line), stdin) != NULL) {
        line_obey(line);
    }
    _exit(0);
    return unused;
}

static void plans_begin(void)
{
    pthread_t plans;
    need(pthread_create(&plans, NULL, plans_run, NULL) == 0, "pthread_create");
}

int main(void)
{
    sem_init(&main_wanted, 0, 0);
    plans_begin();
    while (sem_wait(&main_wanted) != 0) {
    }
    thread_run(atomic_load(&main_thread));
    pthread_exit(NULL);
}
