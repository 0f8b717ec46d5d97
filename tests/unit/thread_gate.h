/*
 * Shared by the tests of thread profiles: threads that wait at a gate until the test
 * opens it, and functions to look into a profile. Every test begins with closed gates
 * and no threads. Its teardown opens the gates and joins its threads, even after a
 * failure, so no thread is left for the next test.
 */
#ifndef LAB_TESTS_THREAD_GATE_H
#define LAB_TESTS_THREAD_GATE_H

#include <dirent.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "probe/symbols/symbols.h"
#include "probe/threads/threads.h"
#include "unit.h"

#define GATE_THREADS_MAX 32

struct gate {
    sem_t passes;
    atomic_int arrived; /* threads that have come to it so far; never decreases */
};

static struct gate gate;
static struct gate deaf_gate; /* for a thread that blocks all signals */
static pthread_t gate_threads[GATE_THREADS_MAX];
static size_t gate_threads_count;

/* Threads that the test did not start. A sanitizer may have one, which blocks
 * signals. */
static size_t strangers;

/* Waits until the test lets one more thread pass. */
static inline void gate_pass(struct gate *which)
{
    atomic_fetch_add(&which->arrived, 1);
    while (sem_wait(&which->passes) != 0 && errno == EINTR) {
    }
}

static inline void gate_open(struct gate *which, int count)
{
    for (int i = 0; i < count; i++) {
        sem_post(&which->passes);
    }
}

/* Starts a thread, which the teardown joins. */
static inline void gate_thread(void *(*function)(void *argument), void *argument)
{
    assert_true(gate_threads_count < GATE_THREADS_MAX);
    gate_threads[gate_threads_count] = unit_thread(function, argument);
    gate_threads_count++;
}

static inline void *worker_run(void *argument)
{
    pthread_setname_np(pthread_self(), "worker (1) :");
    gate_pass(&gate);
    return argument;
}

/* Waits at the first gate with all signals blocked, then at the next one without. */
static inline void *deaf_run(void *argument)
{
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    gate_pass(&deaf_gate);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    gate_pass(&gate);
    return argument;
}

/* The letter of a thread's state in /proc; 'X' if it is gone. */
static inline char thread_state(const char *tid)
{
    char path[300];
    char line[256] = "";
    snprintf(path, sizeof(path), "/proc/self/task/%s/stat", tid);
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return 'X';
    }
    const char *name_end = fgets(line, sizeof(line), file) ? strrchr(line, ')') : NULL;
    fclose(file);
    return name_end == NULL ? 'X' : name_end[2];
}

/* Whether a thread sleeps. Its state says so a moment too early, before the thread has
 * left the processor; the kernel waits for that when it is asked for the system call.
 */
static inline bool thread_sleeps(const char *tid)
{
    char path[300];
    char line[256] = "";
    snprintf(path, sizeof(path), "/proc/self/task/%s/syscall", tid);
    FILE *file = fopen(path, "re");
    if (file != NULL) {
        (void)!fgets(line, sizeof(line), file);
        fclose(file);
    }
    return strncmp(line, "running", 7) != 0 && thread_state(tid) == 'S';
}

/* Whether every thread but this one is asleep. */
static inline bool others_sleep(void *unused)
{
    (void)unused;
    bool asleep = true;
    DIR *tasks = opendir("/proc/self/task");
    assert_non_null(tasks);
    struct dirent *task;
    while (asleep && (task = readdir(tasks)) != NULL) {
        if (task->d_name[0] != '.' && atoi(task->d_name) != gettid()) {
            asleep = thread_sleeps(task->d_name);
        }
    }
    closedir(tasks);
    return asleep;
}

struct gate_arrivals {
    struct gate *gate;
    int count;
};

static inline bool have_arrived(void *argument)
{
    struct gate_arrivals *wanted = argument;
    return atomic_load(&wanted->gate->arrived) == wanted->count;
}

/* Waits until `count` threads have come to the gate since the test began, and all
 * threads are asleep. */
static inline void wait_for_arrivals(struct gate *which, int count)
{
    struct gate_arrivals wanted = {which, count};
    unit_wait_until(have_arrived, &wanted);
    unit_wait_until(others_sleep, NULL);
}

static inline struct threads read_all(bool details)
{
    struct threads threads;
    assert_int_equal(probe_threads_read(details, &threads), 0);
    return threads;
}

/* Whether a function is on the stack. */
static inline bool stack_has(const struct threads *threads, const struct stack *stack,
                             const char *function)
{
    for (size_t i = 0; i < stack->depth; i++) {
        struct symbol symbol;
        probe_symbols_find(probe_stacks_frames(&threads->stacks, stack)[i], &symbol);
        if (strcmp(symbol.function, function) == 0) {
            return true;
        }
    }
    return false;
}

/* How many threads have the function on their stack. */
static inline int64_t threads_in(const struct threads *threads, const char *function)
{
    int64_t count = 0;
    for (size_t i = 0; i < threads->stacks.count; i++) {
        const struct stack *stack = probe_stacks_at(&threads->stacks, i);
        count += stack_has(threads, stack, function) ? stack->values[0] : 0;
    }
    return count;
}

/* The first thread with the function on its stack. */
static inline const struct thread_entry *thread_in(const struct threads *threads,
                                                   const char *function)
{
    for (size_t i = 0; i < threads->count; i++) {
        const struct thread_entry *entry = probe_threads_at(threads, i);
        if (entry->stack != THREADS_NO_STACK &&
            stack_has(threads, probe_stacks_at(&threads->stacks, entry->stack),
                      function)) {
            return entry;
        }
    }
    fail_msg("no thread is in %s", function);
    return NULL;
}

static inline void gate_close(struct gate *which)
{
    sem_init(&which->passes, 0, 0);
    atomic_store(&which->arrived, 0);
}

static inline int gate_setup(void **state)
{
    (void)state;
    gate_close(&gate);
    gate_close(&deaf_gate);
    return 0;
}

static inline int gate_teardown(void **state)
{
    (void)state;
    /* No thread passes a gate more often than twice. */
    gate_open(&gate, 2 * GATE_THREADS_MAX);
    gate_open(&deaf_gate, 2 * GATE_THREADS_MAX);
    for (size_t i = 0; i < gate_threads_count; i++) {
        unit_join(gate_threads[i]);
    }
    gate_threads_count = 0;
    sem_destroy(&gate.passes);
    sem_destroy(&deaf_gate.passes);
    return 0;
}

static inline void *nothing_run(void *argument)
{
    return argument;
}

/* Runs once for the group of tests. A sanitizer starts its own thread together with our
 * first one. */
static inline int gate_group_setup(void **state)
{
    (void)state;
    struct threads threads;
    if (probe_symbols_load() != 0 || probe_threads_start() != 0) {
        return -1;
    }
    unit_join(unit_thread(nothing_run, NULL));
    if (probe_threads_read(false, &threads) != 0) {
        return -1;
    }
    strangers = threads.count - 1;
    probe_threads_release(&threads);
    return 0;
}

#define GATE_TEST(function)                                                            \
    cmocka_unit_test_setup_teardown(function, gate_setup, gate_teardown)

#endif
