/*
 * The heap of a program that is not ours, for the library that is loaded into it: all
 * that the recorder knows, over whatever allocator the program has. What the allocator
 * has taken from the system is known only if it is the GNU C library's.
 */
#include <dlfcn.h>
#include <malloc.h>
#include <pthread.h>

#include "probe/heap/heap.h"
#include "probe/heap/heap_recorder.h"
#include "probe/recorder/recorder.h"

static pthread_once_t allocator_once = PTHREAD_ONCE_INIT;
static bool allocator_is_glibc;

/* Whether the address is in the same file as this function. */
static bool is_in_this_library(const void *address)
{
    Dl_info here;
    Dl_info there;
    return dladdr((void *)is_in_this_library, &here) != 0 &&
           dladdr(address, &there) != 0 && here.dli_fbase == there.dli_fbase;
}

/* Looks which malloc the program's calls reach: directly, or through this library's. */
static void allocator_look(void)
{
    void *libc = dlopen("libc.so.6", RTLD_LAZY | RTLD_NOLOAD);
    if (libc == NULL) {
        return;
    }
    const void *reached = dlsym(RTLD_DEFAULT, "malloc");
    if (reached != NULL && is_in_this_library(reached)) {
        reached = dlsym(RTLD_NEXT, "malloc");
    }
    allocator_is_glibc = reached != NULL && reached == dlsym(libc, "malloc");
    dlclose(libc);
}

static bool is_glibc(void)
{
    pthread_once(&allocator_once, allocator_look);
    return allocator_is_glibc;
}

bool probe_heap_can_profile(void)
{
    return true;
}

int probe_heap_prepare(char **argv)
{
    (void)argv;
    return 0;
}

/* Whether the recorder sees the program's allocations is not tried out here: the
 * program gets no allocation that is not its own. */
int probe_heap_start(enum heap_profile profile, size_t period)
{
    if (profile == HEAP_PROFILE_OFF) {
        return 0;
    }
    bool sampled = profile == HEAP_PROFILE_SAMPLED;
    return probe_recorder_start(sampled ? RECORDER_SAMPLED : RECORDER_EXACT, period);
}

enum heap_profile probe_heap_profile(void)
{
    switch (probe_recorder_mode()) {
    case RECORDER_EXACT:
        return HEAP_PROFILE_EXACT;
    case RECORDER_SAMPLED:
        return HEAP_PROFILE_SAMPLED;
    default:
        return HEAP_PROFILE_OFF;
    }
}

void probe_heap_limit(size_t bytes)
{
    (void)bytes; /* the program is not ours to limit */
}

void probe_heap_read_figures(struct heap_figures *ret_figures)
{
    struct heap_figures figures = {0};
    if (is_glibc()) {
        struct mallinfo2 info = mallinfo2();
        figures.known = figures.system_known = true;
        figures.in_use_bytes = info.uordblks + info.hblkhd;
        figures.system_bytes = info.arena + info.hblkhd;
        figures.free_bytes = info.fordblks;
    }
    probe_heap_recorder_figures(&figures);
    *ret_figures = figures;
}

uint64_t probe_heap_in_use_bytes(void)
{
    struct heap_figures figures;
    probe_heap_read_figures(&figures);
    return figures.in_use_bytes;
}

int probe_heap_snapshot(enum heap_values values, struct heap_snapshot *ret_snapshot)
{
    return probe_heap_recorder_snapshot(values, ret_snapshot);
}

int probe_heap_dump(const char *directory, const char *name, char *ret_path,
                    size_t path_size, uint64_t *ret_in_use_bytes)
{
    return probe_heap_recorder_dump(directory, name, ret_path, path_size,
                                    ret_in_use_bytes);
}

void probe_heap_release_free(void)
{
    if (is_glibc()) {
        malloc_trim(0);
    }
}
