/*
 * A profile is a list of stacks with the amount of each: bytes on the heap, or threads.
 *
 * Three text formats are read: gperftools' heap profile (`heap profile: ... @
 * heapprofile` or `heap_v2/N`, then MAPPED_LIBRARIES); Go's heap?debug=1 (the same
 * lines, `#` comments with function, file and line, and runtime.MemStats at the end);
 * and the count profile of goroutine?debug=1. Besides these, pprof's profile.proto, as
 * Go, Rust, Node and Java serve it. Sources: gperftools'
 * heap-profile-table.cc, Go's runtime/pprof/pprof.go, and pprof's
 * profile/legacy_profile.go for the scaling of samples.
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

/* The amounts of a stack: objects and bytes in use, and ever allocated. In a thread
 * profile `inuse_objects` is the number of threads, and the others are 0. */
struct amounts {
    int64_t inuse_objects;
    int64_t inuse_bytes;
    int64_t alloc_objects;
    int64_t alloc_bytes;
    int64_t lost_objects; /* part of what is in use; 0 if the profile cannot say */
    int64_t lost_bytes;
    int64_t direct_objects; /* part of what is lost: no other lost block leads to it */
    int64_t direct_bytes;
};

/* One stack, the innermost frame first. No two records of a profile have the same
 * addresses. Where a profile.proto has no addresses, these are made from the names, and
 * those of the frames are 0. */
struct record {
    struct amounts amounts;
    uint64_t *addresses;
    size_t depth;
    struct frame *frames; /* with names; NULL in a profile without names */
    size_t frame_count;
    const char *reason; /* profile_parse_counts: of the label; NULL: it has none */
};

/* A mapped file. */
struct mapping {
    uint64_t start;
    uint64_t end;
    uint64_t offset; /* of `start` in the file, in bytes */
    const char *path;
};

enum profile_format {
    PROFILE_EXACT,         /* gperftools' heap profiler: every allocation */
    PROFILE_SAMPLED,       /* gperftools' sampler, scaled up */
    PROFILE_GO_HEAP,       /* Go's sampler, scaled up; totals from runtime.MemStats */
    PROFILE_SAMPLED_PROTO, /* profile.proto of any sampler, scaled up */
    PROFILE_THREADS,       /* threads or goroutines, or other things that are counted */
};

/* Lives in memory that the caller owns; { 0 } is empty. */
struct profile {
    enum profile_format format;
    int64_t period;         /* mean bytes between two samples; 1: every allocation */
    struct amounts totals;  /* from the header or MemStats: all stacks, even if not
                               listed; in a sampled profile the sum of the scaled
                               stacks */
    struct record *records; /* sorted by address */
    size_t count;
    struct mapping *mappings; /* sorted by address */
    size_t mapping_count;
    size_t program;      /* which mapping is the program's own */
    bool is_go;          /* profile.proto: it has functions of Go's runtime */
    bool has_lost;       /* profile.proto: it says what is lost */
    const char *comment; /* profile.proto: the first one; "": none, NULL: another format
                          */
    struct arena arena;  /* owns everything that the records point to */
};

#define PROFILE_RECORDS_MAX 100000
#define PROFILE_FRAMES_MAX 4000000
#define PROFILE_MAPPINGS_MAX 100000

/* Compares two records for qsort: by addresses, then by depth. */
int record_compare(const void *left, const void *right);

/* The record with this stack; NULL if there is none. */
const struct record *profile_find(const struct profile *profile,
                                  const uint64_t *addresses, size_t depth);

/* The mapping that contains the address; NULL if there is none. */
const struct mapping *profile_mapping(const struct profile *profile, uint64_t address);

/* Whether the address is in the program's own file; false if this is not known. */
bool profile_in_program(const struct profile *profile, uint64_t address);

/* Whether any stack holds more bytes in `last` than in `base`. */
bool profile_grew(const struct profile *base, const struct profile *last);

/* Gives the stacks of `profile` the frames of the same stacks in `names`, which still
 * owns them and must outlive `profile`. */
void profile_borrow_names(struct profile *profile, const struct profile *names);

/* Frees everything and leaves the profile empty; { 0 } is allowed. */
void profile_release(struct profile *profile);

#endif
