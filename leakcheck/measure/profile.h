/*
 * A profile is a list of stacks with what each holds: bytes on the heap, or threads.
 * Three texts are read: gperftools' heap profile (`heap profile: ... @ heapprofile` or
 * `heap_v2/N`, then MAPPED_LIBRARIES), Go's heap?debug=1 (the same lines with `#`
 * comments that name function, file and line; runtime.MemStats at the end), and the
 * count profile of goroutine?debug=1. Sources: gperftools' heap-profile-table.cc, Go's
 * runtime/pprof/pprof.go, and pprof's profile/legacy_profile.go for how samples scale.
 */
#ifndef LEAKCHECK_MEASURE_PROFILE_H
#define LEAKCHECK_MEASURE_PROFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/failure.h"

/* One function on a stack. Texts are printable ASCII. */
struct frame {
    uint64_t address;
    const char *function; /* NULL: not known */
    const char *file;     /* NULL: not known, and `line` is 0 */
    unsigned line;
};

/* What a record counts: objects and bytes in use, and all ever allocated. For threads,
 * `inuse_objects` is how many stand there and the others are 0. */
struct amounts {
    int64_t inuse_objects;
    int64_t inuse_bytes;
    int64_t alloc_objects;
    int64_t alloc_bytes;
};

/* One stack, innermost first. No two records of a profile have the same addresses. */
struct record {
    struct amounts amounts;
    uint64_t *addresses;
    size_t depth;
    struct frame *frames; /* from the comments; none in a profile without them */
    size_t frame_count;
};

/* A file that is mapped into the process; the first is the program itself. */
struct mapping {
    uint64_t start;
    uint64_t end;
    uint64_t offset; /* of `start`, in the file */
    const char *path;
};

enum profile_format {
    PROFILE_EXACT,   /* gperftools' heap profiler: every allocation */
    PROFILE_SAMPLED, /* gperftools' sampler, scaled up */
    PROFILE_GO_HEAP, /* Go's sampler, scaled up; totals from runtime.MemStats */
    PROFILE_THREADS, /* threads or goroutines */
};

/* Lives in memory that the caller owns; { 0 } is empty. */
struct profile {
    enum profile_format format;
    int64_t period;         /* bytes between two samples; 1: every allocation */
    struct amounts totals;  /* from the header or MemStats: all stacks, listed or not;
                               in a sampled profile: the sum of the scaled stacks */
    struct record *records; /* in the order of their addresses */
    size_t count;
    struct mapping *mappings; /* in the order of their addresses */
    size_t mapping_count;
    struct arena arena; /* owns everything that the records point to */
};

#define PROFILE_RECORDS_MAX 100000
#define PROFILE_FRAMES_MAX 4000000
#define PROFILE_MAPPINGS_MAX 100000

/* The order of the records: by address, then by depth. */
int record_compare(const void *left, const void *right);

/* The record with that stack; NULL if there is none. */
const struct record *profile_find(const struct profile *profile,
                                  const uint64_t *addresses, size_t depth);

/* The mapping that the address lies in; NULL if it is in none. */
const struct mapping *profile_mapping(const struct profile *profile, uint64_t address);

/* Whether the address lies in the program's own file; false if nothing is known. */
bool profile_in_program(const struct profile *profile, uint64_t address);

/* Whether any stack holds more bytes in `last` than in `base`. */
bool profile_grew(const struct profile *base, const struct profile *last);

/* Lets the stacks of `profile` use the names of the same stacks in `names`, which must
 * outlive it. */
void profile_borrow_names(struct profile *profile, const struct profile *names);

void profile_release(struct profile *profile);

#endif
