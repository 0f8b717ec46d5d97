/*
 * The heap with the C library's own allocator: a few figures, no profile. This build is
 * for sanitizers and Valgrind, which replace the allocator with their own.
 */
#include <errno.h>
#include <malloc.h>

#include "probe/heap/heap.h"

bool probe_heap_can_profile(void)
{
    return false;
}

int probe_heap_prepare(char **argv)
{
    (void)argv;
    return 0;
}

int probe_heap_start(bool profile)
{
    (void)profile;
    return 0;
}

bool probe_heap_profiled(void)
{
    return false;
}

void probe_heap_limit(size_t bytes)
{
    (void)bytes; /* the C library has no ceiling; only RLIMIT_AS limits the heap */
}

void probe_heap_read_figures(struct heap_figures *ret_figures)
{
    struct mallinfo2 info = mallinfo2();
    *ret_figures = (struct heap_figures){
        .known = info.arena + info.hblkhd > 0,
        .in_use_bytes = info.uordblks + info.hblkhd,
        .system_bytes = info.arena + info.hblkhd,
        .free_bytes = info.fordblks,
    };
}

uint64_t probe_heap_in_use_bytes(void)
{
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

int probe_heap_snapshot(char **ret_text)
{
    (void)ret_text;
    return -ENOTSUP;
}

int probe_heap_dump(const char *directory, const char *name, char *ret_path,
                    size_t path_size, uint64_t *ret_in_use_bytes)
{
    (void)directory;
    (void)name;
    (void)ret_path;
    (void)path_size;
    (void)ret_in_use_bytes;
    return -ENOTSUP;
}

void probe_heap_release_free(void)
{
    malloc_trim(0);
}
