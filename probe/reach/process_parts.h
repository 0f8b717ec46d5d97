/*
 * What the search for pointers must know of the process before its threads are stopped:
 * the data of its program and libraries, and where thread-local variables are.
 */
#ifndef PROBE_REACH_PROCESS_PARTS_H
#define PROBE_REACH_PROCESS_PARTS_H

#include <stddef.h>
#include <stdint.h>

#include "probe/reach/regions.h"

#define DATA_SEGMENTS_MAX 4096

/* Code whose frames say nothing about who holds a block: the C library's, the loader's,
 * and the probe's. What is in them is their caller's. */
#define LOWER_CODE_MAX 16

/* The thread-local variables of one file that are at the same place for every thread.
 */
struct tls_part {
    uintptr_t below; /* its start is so far below a thread's pointer */
    size_t bytes;
    uintptr_t code; /* an address in the code of their file */
};

struct process_parts {
    struct data_segment *segments; /* DATA_SEGMENTS_MAX, by address */
    size_t segments_count;
    struct tls_part *tls; /* DATA_SEGMENTS_MAX */
    size_t tls_count;
    struct own_range lower[LOWER_CODE_MAX];
    size_t lower_count;
    size_t tls_bytes;    /* of thread-local variables below a thread's pointer */
    size_t tid_offset;   /* of the tid above a thread's pointer; 0: not known */
    size_t stack_offset; /* of its stack's start, bytes, guard; 0: not known */
};

/* Fills it in. The arrays are the probe's own memory, taken once. Returns 0; -ENOMEM;
 * -E2BIG if there are more files than there is room for; or -ENOSYS on a processor on
 * which this is not known. */
int probe_process_parts_read(struct process_parts *ret_parts);

#endif
