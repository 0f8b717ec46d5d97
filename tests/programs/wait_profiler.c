/*
 * A library to be preloaded: takes thread profiles again and again, in a thread of its
 * own, as many as PROFILES says, or until the program ends. Each stack must reach the
 * place where its thread began. Writes one line to standard error:
 * "profiles N signals N silent N short N cut N error N longest N us"; and before that
 * the first stacks that are short without saying so.
 *
 * It has the wrappers of waiting calls and the thread profile, but no debug port.
 */
#include <dlfcn.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "probe/preload/stack_copy.h"
#include "probe/preload/waits.h"
#include "probe/process/descriptors.h"
#include "probe/recorder/inside.h"
#include "probe/threads/threads.h"

struct sums {
    long profiles;
    size_t signals;
    size_t silent;
    size_t broken; /* stacks that do not reach the beginning of their thread */
    size_t cut;    /* of these, stacks that say so */
    int64_t longest_ns;
};

static uintptr_t thread_begin; /* the outermost frame of every thread but the first */

/* Whether a stack ends where its thread began: the first thread in the program's
 * _start, or, before main, in the loader. */
static bool is_whole(const uintptr_t *frames, size_t depth)
{
    Dl_info info = {0};
    if (depth == 0) {
        return false;
    }
    dladdr((void *)frames[depth - 1], &info);
    return frames[depth - 1] == thread_begin ||
           (info.dli_sname != NULL && strcmp(info.dli_sname, "_start") == 0) ||
           (info.dli_fname != NULL && strstr(info.dli_fname, "/ld-linux") != NULL);
}

static void stack_print(const uintptr_t *frames, size_t depth)
{
    fprintf(stderr, "short:");
    for (size_t i = 0; i < depth; i++) {
        Dl_info info = {0};
        dladdr((void *)frames[i], &info);
        fprintf(stderr, " %s(%#lx)", info.dli_sname ? info.dli_sname : "?",
                (unsigned long)frames[i]);
    }
    fprintf(stderr, "\n");
}

static void stack_check(const struct threads *threads, const struct stack *stack,
                        struct sums *sums)
{
    const uintptr_t *frames = probe_stacks_frames(&threads->stacks, stack);
    if (is_whole(frames, stack->depth)) {
        return;
    }
    sums->broken += (size_t)stack->values[0];
    if (stack->depth > 0 &&
        frames[stack->depth - 1] == (uintptr_t)leakprobe_stack_cut_short) {
        sums->cut += (size_t)stack->values[0];
    } else if (sums->broken < 20) {
        stack_print(frames, stack->depth);
    }
}

static int profile_take(struct sums *sums)
{
    struct threads threads;
    int64_t began = clock_now_ns();
    int error = probe_threads_read(false, &threads);
    int64_t taken = clock_now_ns() - began;
    if (error != 0) {
        return error;
    }
    sums->profiles++;
    sums->signals += threads.asked;
    sums->silent += threads.silent;
    sums->longest_ns = taken > sums->longest_ns ? taken : sums->longest_ns;
    for (size_t i = 0; i < threads.count; i++) {
        const struct thread_entry *entry = probe_threads_at(&threads, i);
        if (entry->tid == gettid()) {
            const struct stack *own = probe_stacks_at(&threads.stacks, entry->stack);
            thread_begin = probe_stacks_frames(&threads.stacks, own)[own->depth - 1];
        }
    }
    for (size_t i = 0; i < threads.stacks.count; i++) {
        stack_check(&threads, probe_stacks_at(&threads.stacks, i), sums);
    }
    probe_threads_release(&threads);
    return 0;
}

static struct sums sums;
static int error;
static pthread_t profiler;
static atomic_bool over;

static void *profiler_run(void *argument)
{
    const char *wanted = getenv("PROFILES");
    long count = wanted == NULL ? LONG_MAX : strtol(wanted, NULL, 10);
    probe_inside = 1;
    while (sums.profiles < count && !atomic_load(&over) && error == 0) {
        error = profile_take(&sums);
        usleep(100);
    }
    fprintf(stderr,
            "profiles %ld signals %zu silent %zu short %zu cut %zu error %d "
            "longest %lld us\n",
            sums.profiles, sums.signals, sums.silent, sums.broken, sums.cut, error,
            (long long)(sums.longest_ns / 1000));
    return argument;
}

static void fork_child(void)
{
    probe_waits_fork_child();
    probe_threads_fork_child();
    atomic_store(&over, true);
}

__attribute__((constructor)) static void begin(void)
{
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    probe_inside++;
    if (probe_descriptors_protect(900) != 0 || probe_threads_start() != 0 ||
        probe_waits_start(NULL) != 0 || pthread_atfork(NULL, NULL, fork_child) != 0) {
        fprintf(stderr, "wait_profiler: cannot start\n");
        _exit(2);
    }
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_create(&profiler, NULL, profiler_run, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    probe_inside--;
}

__attribute__((destructor)) static void end(void)
{
    if (!atomic_exchange(&over, true)) {
        probe_inside++;
        pthread_join(profiler, NULL);
        probe_inside--;
    }
}
