/*
 * The heap by gperftools: tcmalloc's figures, the heap profiler's stacks, and counts by
 * malloc hooks. The only file that knows gperftools.
 */
#include "debug/heap.h"
#include "debug/heap_tidy.h"

#include <errno.h>
#include <fcntl.h>
#include <gperftools/heap-profiler.h>
#include <gperftools/malloc_extension_c.h>
#include <gperftools/malloc_hook_c.h>
#include <link.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MIB (1024 * 1024)
#define SNAPSHOT_MIB 16 /* room above the ceiling for taking a profile */

/* The profiler's settings. It would dump by itself at these intervals; 0 is never. The
 * unwinder of libgcc is four times as fast as Debian's default, libunwind. */
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

/* Set by a user, these would start profilers of their own before main. */
static const char *const unwanted[] = {
    "HEAPPROFILE", "HEAPPROFILESIGNAL", "CPUPROFILE", "HEAPCHECK", "MALLOCSTATS",
};

static atomic_uint_fast64_t total_bytes;
static atomic_uint_fast64_t freed_bytes;
static atomic_uint_fast64_t allocations;
static atomic_uint_fast64_t deallocations;
static uint64_t bytes_before; /* in use when counting began */

/* Where gperftools' code is, or 0 if it is part of the program itself. */
static uintptr_t code_start;
static uintptr_t code_end;

static bool profiled;
static char dump_prefix[1024];
static unsigned dump_number;
static size_t limit_mib;

/* Taking a profile and moving the ceiling for it is done by one thread at a time. */
static pthread_mutex_t snapshot_lock = PTHREAD_MUTEX_INITIALIZER;

bool heap_can_profile(void)
{
    return true;
}

int heap_prepare(char **argv)
{
    bool changed = false;
    for (size_t i = 0; i < sizeof unwanted / sizeof unwanted[0]; i++) {
        if (getenv(unwanted[i]) != NULL) {
            unsetenv(unwanted[i]);
            changed = true;
        }
    }
    for (size_t i = 0; i < sizeof environment / sizeof environment[0]; i++) {
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
    /* The program's own path rather than /proc/self/exe, after which the process would
     * be called "exe" in ps. */
    char path[4096];
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
    if (length < 0) {
        return -errno;
    }
    path[length] = '\0';
    execv(path, argv);
    return -errno;
}

/* Called for each object in memory: notes where the code of gperftools' library is. The
 * program itself, which has an empty name, is no library. */
static int code_find(struct dl_phdr_info *object, size_t size, void *unused)
{
    (void)size;
    (void)unused;
    uintptr_t within = (uintptr_t)GetHeapProfile;
    for (size_t i = 0; i < object->dlpi_phnum && object->dlpi_name[0] != '\0'; i++) {
        const ElfW(Phdr) *part = &object->dlpi_phdr[i];
        uintptr_t start = object->dlpi_addr + part->p_vaddr;
        if (part->p_type == PT_LOAD && within >= start &&
            within < start + part->p_memsz) {
            code_start = start;
            code_end = start + part->p_memsz;
            return 1;
        }
    }
    return 0;
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

static uint64_t property(const char *name)
{
    size_t value = 0;
    MallocExtension_GetNumericProperty(name, &value);
    return value;
}

int heap_start(bool profile, const char *prefix)
{
    bytes_before = property("generic.current_allocated_bytes");
    if (MallocHook_AddNewHook(count_allocation) == 0 ||
        MallocHook_AddDeleteHook(count_deallocation) == 0) {
        return -EAGAIN;
    }
    if (!profile) {
        return 0;
    }
    snprintf(dump_prefix, sizeof dump_prefix, "%s", prefix);
    HeapProfilerStart(dump_prefix);
    if (!IsHeapProfilerRunning()) {
        return -EAGAIN;
    }
    profiled = true;
    dl_iterate_phdr(code_find, NULL);
    /* Go's parser takes a profile whose totals equal its in-use figures for one without
     * totals: one block that is gone makes the difference. */
    free(malloc(1));
    return 0;
}

bool heap_profiled(void)
{
    return profiled;
}

void heap_limit(size_t bytes)
{
    limit_mib = bytes / MIB;
    MallocExtension_SetNumericProperty("tcmalloc.heap_limit_mb", limit_mib);
}

uint64_t heap_in_use_bytes(void)
{
    uint64_t ever = bytes_before + atomic_load(&total_bytes);
    uint64_t freed = atomic_load(&freed_bytes);
    return ever > freed ? ever - freed : 0;
}

void heap_read_figures(struct heap_figures *ret_figures)
{
    uint64_t total = atomic_load(&total_bytes);
    uint64_t freed = atomic_load(&freed_bytes);
    uint64_t allocated = atomic_load(&allocations);
    uint64_t deallocated = atomic_load(&deallocations);
    /* The counters move while they are read: no figure may come out below zero. */
    uint64_t ever = bytes_before + total;
    *ret_figures = (struct heap_figures){
        .in_use_bytes = ever > freed ? ever - freed : 0,
        .system_bytes = property("generic.heap_size"),
        .free_bytes = property("tcmalloc.pageheap_free_bytes"),
        .counted = true,
        .total_bytes = ever,
        .allocations = allocated,
        .deallocations = deallocated,
        .live_objects = allocated > deallocated ? allocated - deallocated : 0,
    };
}

/* Lets the allocator take a little more than the ceiling allows: at the ceiling a
 * profile is wanted most. */
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

int heap_snapshot(char **ret_text)
{
    if (!profiled) {
        return -ENOTSUP;
    }
    pthread_mutex_lock(&snapshot_lock);
    limit_raise();
    char *text = GetHeapProfile();
    limit_restore();
    pthread_mutex_unlock(&snapshot_lock);
    if (text == NULL) {
        return -ENOMEM;
    }
    if (*text == '\0') {
        free(text); /* the list of mappings alone was too long for gperftools' buffer */
        return -ENOBUFS;
    }
    if (heap_tidy(text, code_start, code_end) != 0) {
        free(text);
        return -ENOMEM;
    }
    *ret_text = text;
    return 0;
}

/* HeapProfilerDump says nothing of how it went, so the file is made here first: what
 * hinders that would hinder the profiler too. Afterwards dump_file_check sees whether
 * anything was written. */
static int dump_file_create(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0) {
        return -errno;
    }
    close(fd);
    return 0;
}

/* A disk that is full, or a heap that has no room for the text, leaves no bytes. */
static int dump_file_check(const char *path)
{
    struct stat file;
    if (stat(path, &file) != 0) {
        return -errno;
    }
    if (file.st_size == 0) {
        unlink(path);
        return -ENOSPC;
    }
    return 0;
}

int heap_dump(const char *reason, char *ret_path, size_t path_size)
{
    if (!profiled) {
        return -ENOTSUP;
    }
    pthread_mutex_lock(&snapshot_lock);
    char path[sizeof dump_prefix + 32];
    snprintf(path, sizeof path, "%s.%04u.heap", dump_prefix, dump_number + 1);
    int error = dump_file_create(path);
    if (error == 0) {
        dump_number++;
        limit_raise();
        HeapProfilerDump(reason);
        limit_restore();
        error = dump_file_check(path);
    }
    if (error == 0) {
        snprintf(ret_path, path_size, "%s", path);
    }
    pthread_mutex_unlock(&snapshot_lock);
    return error;
}

void heap_release_free(void)
{
    MallocExtension_ReleaseFreeMemory();
}
