/*
 * Which parts of the memory may hold pointers to blocks, and are not blocks themselves:
 * the roots of the search. Made in the frozen copy of the process, from its mappings.
 *
 *   data of the program and its libraries     REACH_GLOBAL
 *   thread-local variables                    REACH_THREAD_LOCAL
 *   stacks, from the stack pointer upwards    REACH_STACK
 *   what the C library keeps of a thread      REACH_THREAD
 *   other memory that can be written, and
 *   memory without a file that can be read    REACH_MAPPING
 *
 * Left out: where the allocator has its blocks and its books; stacks of threads that
 * have ended, which the C library keeps for the next thread (but not the result that
 * nobody has joined yet); the part of a thread's own stack that is not in use; the
 * probe's own memory; devices. Files that are mapped only to be read are not searched,
 * nor is memory without access if it is large.
 */
#ifndef PROBE_REACH_REGIONS_H
#define PROBE_REACH_REGIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "probe/reach/block_index.h"
#include "probe/reach/flood.h"
#include "probe/recorder/own_memory.h"
#include "probe/threads/thread_park.h"

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
};

/* What the regions are made from; all of it belongs to the caller. */
struct regions_input {
    const char *maps; /* the text of /proc/self/maps, ends with '\0' */
    const struct data_segment *segments; /* by address */
    size_t segments_count;
    const struct parked_thread *threads;
    size_t threads_count;
    const struct own_range *own; /* the probe's memory */
    size_t own_count;
    const struct block_index *index;
    bool glibc; /* the allocator is the C library's: chunks have headers */
    const struct own_range *lower; /* code whose frames are their caller's */
    size_t lower_count;
    const struct tls_part *late_tls; /* of libraries that were opened later */
    size_t late_tls_count;
    size_t tls_bytes;      /* of thread-local variables below a thread's pointer */
    size_t tid_offset;     /* of the tid above a thread's pointer; 0: not known */
    size_t stack_offset;   /* of its stack's start, bytes, guard; 0: not known */
    uintptr_t own_pointer; /* of the thread that asks */
    bool main_asks;        /* that is the main thread */
    size_t *not_read;      /* mappings that cannot be read are added here */
};

struct reach_region {
    uintptr_t start;
    uintptr_t end;
    uint32_t thread; /* number in the list; REACH_NONE: no thread's */
    enum reach_kind kind;
    bool libc; /* a pointer into the last 8 bytes of a block does not count: it is to
                  the header of the next chunk */
};

/* Writes the regions, by kind and address, at most `room`. Returns how many there are;
 * more than `room`: the rest is left out. -1 if memory is short or the text cannot be
 * read. */
long probe_regions_make(const struct regions_input *input, struct reach_region *regions,
                        size_t room);

/* Writes the parts of blocks that are stacks of threads, but below the stack pointer,
 * so not in use; at most one a thread. Returns how many there are. */
size_t probe_regions_idle(const struct regions_input *input, struct memory_part *parts);

#endif
