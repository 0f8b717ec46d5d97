/*
 * The heap as the allocator sees it: figures, profile, dump, ceiling. There are two
 * implementations: heap_gperftools.c, and heap_libc.c for sanitizers and Valgrind,
 * which has no profile.
 */
#ifndef PROBE_HEAP_HEAP_H
#define PROBE_HEAP_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct heap_figures {
    bool known;             /* whether the allocator says anything: a sanitizer's does
                               not */
    uint64_t in_use_bytes;  /* Go's Alloc: live objects, in the allocator's rounded
                               sizes */
    uint64_t system_bytes;  /* Go's Sys: taken from the system */
    uint64_t free_bytes;    /* part of system_bytes that is free */
    bool counted;           /* whether the figures below are known */
    uint64_t total_bytes;   /* Go's TotalAlloc: ever allocated */
    uint64_t allocations;   /* since probe_heap_start */
    uint64_t deallocations; /* objects older than probe_heap_start count too */
    uint64_t live_objects;
};

/* Whether this build can profile the heap. */
bool probe_heap_can_profile(void);

/* gperftools reads some settings from the environment before main. If this process was
 * started with other settings than the profiler needs, sets them and executes the
 * program again with the same arguments; then this call does not return. Call it before
 * threads exist and files are open. Returns 0 or -errno. */
int probe_heap_prepare(char **argv);

/* Starts to count; with `profile`, also starts to record the stack of every allocation.
 * Both go on until the process ends. Returns 0 or -errno. */
int probe_heap_start(bool profile);

/* Whether the profile is being recorded. */
bool probe_heap_profiled(void);

/* Sets the ceiling: the allocator takes at most this many bytes from the system. */
void probe_heap_limit(size_t bytes);

/* Reads the current figures. */
void probe_heap_read_figures(struct heap_figures *ret_figures);

/* Only in_use_bytes: fast enough to call before every allocation. */
uint64_t probe_heap_in_use_bytes(void);

/* Takes the current profile in gperftools' text format
 * (https://gperftools.github.io/gperftools/heapprofile.html). The caller frees the
 * text. gperftools 2.10 cuts the text at 1 MiB, and its own buffer of 1 MiB is in the
 * profile too. Returns 0, -ENOTSUP without a profile, -ENOMEM, or -ENOBUFS if the
 * process has so many mappings that the text has no space for stacks. */
int probe_heap_snapshot(char **ret_text);

/* Writes the profile to <directory>/<name>.NNNN.heap (see probe_dump_file_write), the
 * file's path to ret_path, and the bytes in use to ret_in_use_bytes. All dumps are
 * written by this function. Returns 0, an error of probe_heap_snapshot, or -errno from
 * writing. After an error no file is left. */
int probe_heap_dump(const char *directory, const char *name, char *ret_path,
                    size_t path_size, uint64_t *ret_in_use_bytes);

/* Gives free memory back to the system. */
void probe_heap_release_free(void);

#endif
