/*
 * Every request that runs adds its needs to `reserved`. A new request may pass only if
 * use and reservations stay below the ceilings.
 */
#include "server/guard.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/resource.h>

#include "base/size.h"
#include "probe/figures/process_figures.h"
#include "probe/heap/heap.h"
#include "scenario.h"

/* What the server itself may use above the ceilings: /status, profiles and dumps must
 * work when a ceiling is reached. */
#define SPARE_HEAP (64 * MIB)
#define SPARE_FDS 200
/* Address space for code, the server's thread stacks, the allocators' reserves, and the
 * large stacks of array-by-value. */
#define SPARE_ADDRESSES (6144 * MIB)

/* A sanitizer reserves terabytes of addresses for its shadow memory, and keeps its own
 * data in each thread. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define HAS_SHADOW_MEMORY 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define HAS_SHADOW_MEMORY 1
#endif
#endif
#ifndef HAS_SHADOW_MEMORY
#define HAS_SHADOW_MEMORY 0
#endif

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct guard_need reserved; /* by requests that run */
static size_t heap_ceiling = SIZE_MAX;

/* Checks one resource. Returns 0, or -EAGAIN with *ret_refusal filled in. */
static int check(const char *code, const char *what, const char *option, size_t in_use,
                 size_t need, size_t limit, struct guard_refusal *ret_refusal)
{
    if (need == 0 || (in_use <= limit && need <= limit - in_use)) {
        return 0;
    }
    *ret_refusal = (struct guard_refusal){
        .code = code,
        .what = what,
        .option = option,
        .in_use = in_use,
        .need = need,
        .limit = limit,
    };
    return -EAGAIN;
}

static int check_all(const struct options *options, const struct guard_need *need,
                     struct guard_refusal *ret_refusal)
{
    struct process_figures process;
    int error = probe_process_read_figures(&process);
    if (error == 0) {
        error = check("heap_limit", "heap bytes", "--max-heap",
                      probe_heap_in_use_bytes() + reserved.heap_bytes, need->heap_bytes,
                      options->max_heap, ret_refusal);
    }
    if (error == 0) {
        error = check("thread_limit", "threads", "--max-threads",
                      process.threads + reserved.threads, need->threads,
                      options->max_threads, ret_refusal);
    }
    if (error == 0) {
        error =
            check("fd_limit", "descriptors", "--max-fds", process.fds + reserved.fds,
                  need->fds, options->max_fds, ret_refusal);
    }
    if (error == 0) {
        error = check("timer_limit", "timers", "--max-timers",
                      process.timers + reserved.timers, need->timers,
                      options->max_timers, ret_refusal);
    }
    return error;
}

int guard_enter(const struct options *options, const struct guard_need *need,
                struct guard_refusal *ret_refusal)
{
    pthread_mutex_lock(&lock);
    int error = check_all(options, need, ret_refusal);
    if (error == 0) {
        reserved.heap_bytes += need->heap_bytes;
        reserved.threads += need->threads;
        reserved.fds += need->fds;
        reserved.timers += need->timers;
    }
    pthread_mutex_unlock(&lock);
    return error;
}

void guard_leave(const struct guard_need *need)
{
    pthread_mutex_lock(&lock);
    reserved.heap_bytes -= need->heap_bytes;
    reserved.threads -= need->threads;
    reserved.fds -= need->fds;
    reserved.timers -= need->timers;
    pthread_mutex_unlock(&lock);
}

/* See scenario_growth_enter. */
static bool growth_enter(size_t bytes)
{
    pthread_mutex_lock(&lock);
    size_t in_use = probe_heap_in_use_bytes() + reserved.heap_bytes;
    bool fits = in_use <= heap_ceiling && bytes <= heap_ceiling - in_use;
    if (fits) {
        reserved.heap_bytes += bytes;
    }
    pthread_mutex_unlock(&lock);
    return fits;
}

static void growth_leave(size_t bytes)
{
    pthread_mutex_lock(&lock);
    reserved.heap_bytes -= bytes;
    pthread_mutex_unlock(&lock);
}

/* Lets the process open as many descriptors as --max-fds allows, plus SPARE_FDS. */
static int limit_descriptors(struct options *options)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return -errno;
    }
    rlim_t wanted = options->max_fds + SPARE_FDS;
    if (limit.rlim_max != RLIM_INFINITY && wanted > limit.rlim_max) {
        if (limit.rlim_max < 2 * SPARE_FDS) {
            return -EMFILE;
        }
        wanted = limit.rlim_max;
        options->max_fds = (unsigned)wanted - SPARE_FDS;
    }
    limit.rlim_cur = wanted;
    return setrlimit(RLIMIT_NOFILE, &limit) == 0 ? 0 : -errno;
}

/* The default stack size of threads that scenarios create. */
static size_t stack_bytes(void)
{
    return HAS_SHADOW_MEMORY ? 4 * MIB : MIB / 4;
}

#define GUARD_PAGES_MAX_THREADS 4000

void guard_shrink_stacks(const struct options *options)
{
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, stack_bytes());
    /* A thread stack with a guard page makes two lines in /proc/self/maps. gperftools
     * puts all these lines into the 1 MiB of a heap profile, before the call stacks:
     * with about 9,000 threads no space is left. Without guard pages the lines merge
     * into a few. */
    if (options->max_threads > GUARD_PAGES_MAX_THREADS) {
        pthread_attr_setguardsize(&attributes, 0);
    }
    pthread_setattr_default_np(&attributes);
    pthread_attr_destroy(&attributes);
}

static int limit_addresses(const struct options *options)
{
    if (HAS_SHADOW_MEMORY) {
        return 0;
    }
    struct rlimit limit;
    if (getrlimit(RLIMIT_AS, &limit) != 0) {
        return -errno;
    }
    rlim_t wanted =
        options->max_heap + options->max_threads * stack_bytes() + SPARE_ADDRESSES;
    if (wanted >= limit.rlim_cur) {
        return 0; /* the user's own limit is lower, so it stays */
    }
    limit.rlim_cur = wanted;
    return setrlimit(RLIMIT_AS, &limit) == 0 ? 0 : -errno;
}

int guard_set_limits(struct options *options)
{
    int error = limit_descriptors(options);
    if (error == 0) {
        error = limit_addresses(options);
    }
    if (error == 0) {
        scenario_growth_guard(growth_enter, growth_leave);
        heap_ceiling = options->max_heap;
        probe_heap_limit(options->max_heap + SPARE_HEAP);
    }
    return error;
}
