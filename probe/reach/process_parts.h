/*
 * What the search for pointers must know of the process before its threads are stopped:
 * the data of its program and libraries, and where thread-local variables are.
 */
#ifndef PROBE_REACH_PROCESS_PARTS_H
#define PROBE_REACH_PROCESS_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "probe/reach/thread_memory.h"
#include "probe/recorder/own_memory.h"

#define DATA_SEGMENTS_MAX 4096

/* Code whose frames say nothing about who holds a block: the C library's, the loader's,
 * and the probe's. What is in them is their caller's. */
#define LOWER_CODE_MAX 16

/* A part of a program or library that is mapped to be written: its data. */
struct data_segment {
    uintptr_t start;
    uintptr_t end;
    uintptr_t code; /* an address in the code of the same file; 0: it has none */
    bool program;   /* of the program itself */
    bool left_out;  /* the allocator's, or the probe's */
    bool libc;      /* the C library's, which has pointers to the ends of blocks */
};

/* The thread-local variables of one file. Those of the program, and of libraries that
 * it is linked with, are at the same distance from every thread's pointer; those of a
 * library that was opened later are in a block for each thread that has used them,
 * which the thread's table of such blocks ("dtv") leads to. */
struct tls_part {
    uintptr_t below; /* their start is so far below a thread's pointer; 0: in a block */
    size_t bytes;
    size_t number;  /* in the thread's table */
    uintptr_t code; /* an address in the code of their file */
    bool left_out;  /* the allocator's, or the probe's */
};

struct process_parts {
    struct data_segment *segments; /* DATA_SEGMENTS_MAX, by address */
    size_t segments_count;
    struct tls_part *tls; /* DATA_SEGMENTS_MAX: those that `below` is known of */
    size_t tls_count;
    struct tls_part *late_tls; /* DATA_SEGMENTS_MAX: the others */
    size_t late_tls_count;
    struct range lower[LOWER_CODE_MAX];
    size_t lower_count;
    struct range allocator;   /* the code of the allocator's own library, if any */
    uintptr_t allocator_data; /* an address in its data */
    size_t tls_bytes;         /* of thread-local variables below a thread's pointer */
    struct thread_layout layout;
};

/* Fills it in. The arrays are the probe's own memory, taken once. Returns 0; -ENOMEM;
 * -E2BIG if there are more files than there is room for; or -ENOSYS on a processor on
 * which this is not known. */
int probe_process_parts_read(struct process_parts *ret_parts);

/* Whether the address is in `lower`. */
bool probe_process_parts_is_lower(const struct process_parts *parts, uintptr_t code);

#endif
