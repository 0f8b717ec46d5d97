/*
 * What the frozen copy of the process knows of the memory in which it looks for
 * pointers (regions.h). All of it belongs to the caller.
 */
#ifndef PROBE_REACH_REGIONS_INPUT_H
#define PROBE_REACH_REGIONS_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "probe/reach/block_index.h"
#include "probe/reach/process_parts.h"
#include "probe/recorder/own_memory.h"
#include "probe/threads/thread_park.h"

struct regions_input {
    const char *maps; /* the text of /proc/self/maps, ends with '\0' */
    const struct process_parts *parts;
    const struct parked_thread *threads;
    size_t threads_count;
    const struct range *own; /* the probe's memory */
    size_t own_count;
    const struct range *heap; /* what the allocator has mapped, by address */
    size_t heap_count;
    const struct block_index *index;
    bool glibc;            /* the allocator is the C library's: chunks have headers */
    uintptr_t own_pointer; /* of the thread that asks */
    bool main_asks;        /* that is the main thread */
    uintptr_t main_frames; /* where the main thread's end, if it has ended, and other
                              threads go on; 0: it has not, or that is not known */
    bool agent_asks;       /* it is the probe's: the program has nothing on its stack */
    struct range here;     /* what the copy, and the question, need of its stack */
    size_t *not_read;      /* mappings that cannot be read are added here */
};

#endif
