/*
 * The heap of this process: figures, profile, dump, ceiling. The profile comes from
 * gperftools' profiler or from our own recorder (probe/recorder/). There are three
 * implementations, of which one is linked: heap_gperftools.c; heap_libc.c, for
 * sanitizers and Valgrind; and heap_preload.c, in the library for other programs.
 */
#ifndef PROBE_HEAP_HEAP_H
#define PROBE_HEAP_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "probe/heap/heap_snapshot.h"

/* What is known is what `known`, `system_known` and `counted` say. Where the recorder
 * takes samples, the figures that come from it are estimates. */
struct heap_figures {
    bool known;             /* in_use_bytes */
    uint64_t in_use_bytes;  /* Go's Alloc: live objects; tcmalloc and the C library
                               round each one up, the recorder does not */
    bool system_known;      /* system_bytes and free_bytes */
    uint64_t system_bytes;  /* Go's Sys: taken from the system */
    uint64_t free_bytes;    /* part of system_bytes that is free */
    bool counted;           /* the figures below */
    uint64_t total_bytes;   /* Go's TotalAlloc: ever allocated */
    uint64_t allocations;   /* since probe_heap_start */
    uint64_t deallocations; /* with gperftools, of objects older than probe_heap_start,
                               too */
    uint64_t live_objects;
};

/* What records the heap profile. */
enum heap_profile {
    HEAP_PROFILE_OFF,
    HEAP_PROFILE_EXACT,    /* every allocation: gperftools' profiler in the servers,
                              the recorder in other programs */
    HEAP_PROFILE_RECORDER, /* every allocation, by the recorder */
    HEAP_PROFILE_SAMPLED,  /* one allocation in every so many bytes, by the recorder */
};

/* Whether this build can profile the heap exactly. */
bool probe_heap_can_profile(void);

/* gperftools reads some settings from the environment before main. If this process was
 * started with other settings than the profiler needs, sets them and executes the
 * program again with the same arguments; then this call does not return. Call it before
 * threads exist and files are open. Returns 0 or -errno. */
int probe_heap_prepare(char **argv);

/* Starts the recorder before probe_heap_start(HEAP_PROFILE_RECORDER) does: before the
 * constructors of libraries run, so that their blocks are known, too. A pointer in a
 * block that is not known holds nothing. If it fails, probe_heap_start does, too. */
void probe_heap_start_early(void);

/* Starts to count, and to record the stacks of allocations as `profile` says; `period`
 * is the recorder's, in bytes, for HEAP_PROFILE_SAMPLED. Both go on until the process
 * ends. In a build without gperftools HEAP_PROFILE_EXACT records nothing, unless it is
 * the library for other programs. Returns 0; -ENOTSUP if the recorder sees none of this
 * build's allocations (a sanitizer or Valgrind has them); or -errno. */
int probe_heap_start(enum heap_profile profile, size_t period);

/* What is being recorded. */
enum heap_profile probe_heap_profile(void);

/* The same in a word: "off", "exact", "recorder" or "sampled". */
const char *probe_heap_profile_name(void);

/* Whether a profile is being recorded. */
bool probe_heap_profiled(void);

/* Sets the ceiling: the allocator takes at most this many bytes from the system. */
void probe_heap_limit(size_t bytes);

/* Reads the current figures. */
void probe_heap_read_figures(struct heap_figures *ret_figures);

/* Only in_use_bytes, as the allocator counts them: fast enough to call before every
 * allocation. */
uint64_t probe_heap_in_use_bytes(void);

/* Takes the current profile. gperftools' own buffer of 1 MiB is in its profile, too.
 * The caller releases the snapshot. Returns 0, -ENOTSUP without a profile, -ENOMEM, or
 * -ENOBUFS if the process has so many mappings that gperftools' text has no space for
 * stacks. After an error there is nothing to release. */
int probe_heap_snapshot(enum heap_values values, struct heap_snapshot *ret_snapshot);

/* Writes the profile in gperftools' text format to <directory>/<name>.NNNN.heap (see
 * probe_dump_file_write), the file's path to ret_path, and the bytes in use to
 * ret_in_use_bytes. All dumps are written by this function. Returns 0, an error of
 * probe_heap_snapshot, or -errno from writing. After an error no file is left. */
int probe_heap_dump(const char *directory, const char *name, char *ret_path,
                    size_t path_size, uint64_t *ret_in_use_bytes);

/* Gives free memory back to the system. */
void probe_heap_release_free(void);

#endif
