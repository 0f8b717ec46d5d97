/*
 * The heap as the allocator sees it: figures, profile, dump, ceiling. There is one
 * implementation over gperftools (heap_gperftools.c) and one over the C library
 * (heap_libc.c, for sanitizers and Valgrind), which has no profile.
 */
#ifndef PROBE_HEAP_HEAP_H
#define PROBE_HEAP_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct heap_figures {
    uint64_t in_use_bytes;  /* Go's Alloc: of live objects, as the allocator rounds */
    uint64_t system_bytes;  /* Go's Sys: taken from the system */
    uint64_t free_bytes;    /* of system_bytes, ready for use */
    bool counted;           /* whether the figures below are known */
    uint64_t total_bytes;   /* Go's TotalAlloc: ever allocated */
    uint64_t allocations;   /* since probe_heap_start */
    uint64_t deallocations; /* of objects, also those older than probe_heap_start */
    uint64_t live_objects;
};

/* Whether this build can profile the heap. */
bool probe_heap_can_profile(void);

/* gperftools reads some settings from the environment, before main. If the profiler
 * needs other settings than this process was started with, sets them and starts the
 * program anew with the same arguments: then it does not return. Returns 0 when all is
 * well, or -errno. To be called before threads and files exist. */
int probe_heap_prepare(char **argv);

/* Counts from now on; with `profile`, also records the stack of every allocation, until
 * the process ends. Returns 0 or -errno. */
int probe_heap_start(bool profile);

/* Whether the profile is being recorded. */
bool probe_heap_profiled(void);

/* From now on the allocator refuses to take more than this from the system. */
void probe_heap_limit(size_t bytes);

void probe_heap_read_figures(struct heap_figures *ret_figures);

/* in_use_bytes alone: cheap enough to be asked before every allocation. */
uint64_t probe_heap_in_use_bytes(void);

/* The profile now, in gperftools' text format
 * (https://gperftools.github.io/gperftools/heapprofile.html), to be freed by the
 * caller. gperftools 2.10 lists its own buffer for the text, 1 MiB, too, and cuts the
 * text at 1 MiB. Returns 0, -ENOTSUP without a profile, -ENOMEM, or -ENOBUFS if the
 * process has so many mappings that no room is left for a stack. */
int probe_heap_snapshot(char **ret_text);

/* Writes the profile to <directory>/<name>.NNNN.heap, numbered as probe_dump_file_write
 * says, its path to ret_path, and the bytes in use to ret_in_use_bytes. No dump is
 * written in any other way. Returns 0, an error of probe_heap_snapshot, or -errno from
 * writing; on an error no file is left. */
int probe_heap_dump(const char *directory, const char *name, char *ret_path,
                    size_t path_size, uint64_t *ret_in_use_bytes);

/* Gives free memory back to the system. */
void probe_heap_release_free(void);

#endif
