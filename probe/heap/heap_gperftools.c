/*
 * The heap with gperftools: figures from tcmalloc, counts from malloc hooks, stacks
 * from its heap profiler, or from our own recorder, which gets them from malloc hooks,
 * too. No other file uses gperftools.
 */
#include "probe/heap/heap.h"

#include <errno.h>
#include <gperftools/heap-profiler.h>
#include <gperftools/malloc_extension_c.h>
#include <gperftools/malloc_hook_c.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/range.h"
#include "base/size.h"
#include "probe/calls/calls.h"
#include "probe/heap/heap_dump.h"
#include "probe/heap/heap_recorder.h"
#include "probe/heap/heap_tidy.h"
#include "probe/process/loaded_code.h"
#include "probe/recorder/recorder.h"

#define SNAPSHOT_MIB 16 /* how far a profile may go above the ceiling */

/* The profiler's settings. The intervals are those of automatic dumps; 0: none.
 * libgcc's unwinder is four times as fast as Debian's default, libunwind. */
static const char *const environment[][2] = {
    {"TCMALLOC_STACKTRACE_METHOD", "libgcc"},
    {"PERFTOOLS_VERBOSE", "-1"},
    {"HEAP_PROFILE_ALLOCATION_INTERVAL", "0"},
    {"HEAP_PROFILE_DEALLOCATION_INTERVAL", "0"},
    {"HEAP_PROFILE_INUSE_INTERVAL", "0"},
    {"HEAP_PROFILE_TIME_INTERVAL", "0"},
    {"HEAP_PROFILE_MMAP", "0"},
    {"HEAP_PROFILE_ONLY_MMAP", "0"},
    {"HEAP_PROFILE_MMAP_LOG", "0"},
};

/* If a user sets these, gperftools starts other profilers before main. */
static const char *const unwanted[] = {
    "HEAPPROFILE", "HEAPPROFILESIGNAL", "CPUPROFILE", "HEAPCHECK", "MALLOCSTATS",
};

static atomic_uint_fast64_t total_bytes;
static atomic_uint_fast64_t freed_bytes;
static atomic_uint_fast64_t allocations;
static atomic_uint_fast64_t deallocations;
static uint64_t bytes_before; /* in use when counting began */

/* The addresses of gperftools' code; none if it is part of the program itself. */
static struct range code;

static enum heap_profile profile_now; /* what is being recorded */
static size_t limit_mib;

/* One thread at a time takes a profile and raises the ceiling for it. */
static pthread_mutex_t snapshot_lock = PTHREAD_MUTEX_INITIALIZER;

bool probe_heap_can_profile(void)
{
    return true;
}

int probe_heap_prepare(char **argv)
{
    bool changed = false;
    for (size_t i = 0; i < sizeof(unwanted) / sizeof(unwanted[0]); i++) {
        if (getenv(unwanted[i]) != NULL) {
            unsetenv(unwanted[i]);
            changed = true;
        }
    }
    for (size_t i = 0; i < sizeof(environment) / sizeof(environment[0]); i++) {
        const char *value = getenv(environment[i][0]);
        if (value == NULL || strcmp(value, environment[i][1]) != 0) {
            if (setenv(environment[i][0], environment[i][1], 1) != 0) {
                return -errno;
            }
            changed = true;
        }
    }
    if (!changed) {
        return 0;
    }
    /* Use the program's own path: with /proc/self/exe, ps would show "exe" as the
     * name. */
    char path[4096];
    ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 1);
    if (length < 0) {
        return -errno;
    }
    path[length] = '\0';
    execv(path, argv);
    return -errno;
}

static void code_find(void)
{
    struct range found = probe_loaded_code((uintptr_t)GetHeapProfile);
    if (!range_has(found, (uintptr_t)code_find)) {
        code = found;
    }
}

static void count_allocation(const void *memory, size_t size)
{
    (void)size; /* the allocator rounds it up; free gives back the rounded size */
    if (memory == NULL) {
        return;
    }
    size_t bytes = MallocExtension_GetAllocatedSize(memory);
    atomic_fetch_add_explicit(&total_bytes, bytes, memory_order_relaxed);
    atomic_fetch_add_explicit(&allocations, 1, memory_order_relaxed);
}

static void count_deallocation(const void *memory)
{
    if (memory == NULL) {
        return;
    }
    size_t bytes = MallocExtension_GetAllocatedSize(memory);
    atomic_fetch_add_explicit(&freed_bytes, bytes, memory_order_relaxed);
    atomic_fetch_add_explicit(&deallocations, 1, memory_order_relaxed);
}

/* The hooks of the recorder are in a section of their own, whose bounds the linker
 * knows: they are at the start of every stack, and are left out there. */
#define IN_HOOKS __attribute__((section("probe_hooks"), noinline))
extern const char __start_probe_hooks[];
extern const char __stop_probe_hooks[];

IN_HOOKS static void record_allocation(const void *memory, size_t size)
{
    probe_recorder_allocated(memory, size);
}

IN_HOOKS static void record_deallocation(const void *memory)
{
    probe_recorder_freed(memory);
}

static uint64_t property(const char *name)
{
    size_t value = 0;
    MallocExtension_GetNumericProperty(name, &value);
    return value;
}

static int profiler_start(void)
{
    /* The profiler writes a last dump when the process ends, unless it has been
     * stopped. To be safe, its path is one where no file can be created. */
    if (atexit(HeapProfilerStop) != 0) {
        return -ENOMEM;
    }
    HeapProfilerStart("/dev/null/heap");
    if (!IsHeapProfilerRunning()) {
        return -EAGAIN;
    }
    /* Go's parser believes that a profile has no totals if they equal the in-use
     * figures. One freed block makes them different. */
    free(malloc(1));
    return 0;
}

/* Has gperftools call the recorder, once. Returns 0 or -EAGAIN. */
static int recorder_hook(void)
{
    static bool hooked;
    if (hooked) {
        return 0;
    }
    code_find();
    probe_recorder_skip((uintptr_t)__start_probe_hooks, (uintptr_t)__stop_probe_hooks);
    if (code.end != 0) {
        probe_recorder_skip(code.start, code.end);
    }
    hooked = MallocHook_AddNewHook(record_allocation) != 0 &&
             MallocHook_AddDeleteHook(record_deallocation) != 0;
    return hooked ? 0 : -EAGAIN;
}

void probe_heap_start_early(void)
{
    if (recorder_hook() == 0) {
        probe_recorder_start_early();
    }
}

static int recorder_start(enum heap_profile profile, size_t period)
{
    int error = recorder_hook();
    return error == 0 ? probe_heap_recorder_start(profile, period) : error;
}

int probe_heap_start(enum heap_profile profile, size_t period)
{
    bytes_before = property("generic.current_allocated_bytes");
    if (MallocHook_AddNewHook(count_allocation) == 0 ||
        MallocHook_AddDeleteHook(count_deallocation) == 0) {
        return -EAGAIN;
    }
    if (profile == HEAP_PROFILE_OFF) {
        return 0;
    }
    code_find();
    int error = profile == HEAP_PROFILE_EXACT ? profiler_start()
                                              : recorder_start(profile, period);
    if (error == 0) {
        profile_now = profile;
    }
    return error;
}

enum heap_profile probe_heap_profile(void)
{
    return profile_now;
}

void probe_heap_limit(size_t bytes)
{
    limit_mib = bytes / (size_t)MIB;
    MallocExtension_SetNumericProperty("tcmalloc.heap_limit_mb", limit_mib);
}

uint64_t probe_heap_in_use_bytes(void)
{
    uint64_t ever = bytes_before + atomic_load(&total_bytes);
    uint64_t freed = atomic_load(&freed_bytes);
    return ever > freed ? ever - freed : 0;
}

void probe_heap_read_figures(struct heap_figures *ret_figures)
{
    uint64_t total = atomic_load(&total_bytes);
    uint64_t freed = atomic_load(&freed_bytes);
    uint64_t allocated = atomic_load(&allocations);
    uint64_t deallocated = atomic_load(&deallocations);
    /* The counters change while they are read: no difference may fall below zero. */
    uint64_t ever = bytes_before + total;
    *ret_figures = (struct heap_figures){
        .known = true,
        .in_use_bytes = ever > freed ? ever - freed : 0,
        .system_known = true,
        .system_bytes = property("generic.heap_size"),
        .free_bytes = property("tcmalloc.pageheap_free_bytes"),
        .counted = true,
        .total_bytes = ever,
        .allocations = allocated,
        .deallocations = deallocated,
        .live_objects = allocated > deallocated ? allocated - deallocated : 0,
    };
}

/* Raises the ceiling a little: a profile is needed most when the ceiling is reached. */
static void limit_raise(void)
{
    if (limit_mib > 0) {
        MallocExtension_SetNumericProperty("tcmalloc.heap_limit_mb",
                                           limit_mib + SNAPSHOT_MIB);
    }
}

static void limit_restore(void)
{
    if (limit_mib > 0) {
        MallocExtension_SetNumericProperty("tcmalloc.heap_limit_mb", limit_mib);
    }
}

/* Takes gperftools' profile, while snapshot_lock is held and the ceiling is raised. */
static int profiler_snapshot(struct heap_snapshot *ret_snapshot)
{
    char *text = GetHeapProfile();
    if (text == NULL) {
        return -ENOMEM;
    }
    if (*text == '\0') {
        free(text); /* the list of mappings alone fills gperftools' buffer */
        return -ENOBUFS;
    }
    const struct range calls = {(uintptr_t)probe_calls_begin,
                                (uintptr_t)probe_calls_end};
    if (probe_heap_tidy(text, code, calls) != 0) {
        free(text);
        return -ENOMEM;
    }
    *ret_snapshot = (struct heap_snapshot){.text = text, .period = 1};
    return 0;
}

static int snapshot_locked(enum heap_values values, struct heap_snapshot *ret_snapshot)
{
    return profile_now == HEAP_PROFILE_EXACT
               ? profiler_snapshot(ret_snapshot)
               : probe_heap_recorder_snapshot(values, ret_snapshot);
}

int probe_heap_snapshot(enum heap_values values, struct heap_snapshot *ret_snapshot)
{
    if (profile_now == HEAP_PROFILE_OFF) {
        return -ENOTSUP;
    }
    pthread_mutex_lock(&snapshot_lock);
    limit_raise();
    int error = snapshot_locked(values, ret_snapshot);
    limit_restore();
    pthread_mutex_unlock(&snapshot_lock);
    return error;
}

/* HeapProfilerDump is not used: it overwrites files and does not report errors. */
int probe_heap_dump(const char *directory, const char *name, char *ret_path,
                    size_t path_size, uint64_t *ret_in_use_bytes)
{
    if (profile_now == HEAP_PROFILE_OFF) {
        return -ENOTSUP;
    }
    pthread_mutex_lock(&snapshot_lock);
    limit_raise();
    struct heap_snapshot snapshot;
    int error = snapshot_locked(HEAP_VALUES_RAW, &snapshot);
    if (error == 0) {
        error = probe_heap_dump_write(&snapshot, directory, name, ret_path, path_size,
                                      ret_in_use_bytes);
        probe_heap_snapshot_release(&snapshot);
    }
    limit_restore();
    pthread_mutex_unlock(&snapshot_lock);
    return error;
}

void probe_heap_release_free(void)
{
    MallocExtension_ReleaseFreeMemory();
}
