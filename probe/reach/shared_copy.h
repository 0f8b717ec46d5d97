/*
 * What the process and its frozen copy tell each other: memory that both have. The copy
 * writes; the process reads, and answers once with the holders of the roots.
 *
 *   copy       COPY_WORKS  lists the blocks and the roots
 *   copy       COPY_ROOTS  waits
 *   process    COPY_NAMED  has written whose each root is
 *   copy                   walks from the roots
 *   copy       COPY_DONE   ends; or COPY_FAILED at any time
 */
#ifndef PROBE_REACH_SHARED_COPY_H
#define PROBE_REACH_SHARED_COPY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "probe/reach/block_index.h"
#include "probe/reach/flood.h"
#include "probe/reach/regions.h"

enum copy_state { COPY_WORKS, COPY_ROOTS, COPY_NAMED, COPY_DONE, COPY_FAILED };

#define COPY_ROOTS_MAX ((size_t)1 << 22)
#define COPY_REGIONS_MAX ((size_t)1 << 17)
#define COPY_MAPS_BYTES ((size_t)16 * 1024 * 1024)
#define COPY_WORDS_MAX ((size_t)1 << 17) /* that the kernel has for the program */

/* A pointer that the program has given to the kernel. */
struct kernel_word {
    uintptr_t word;
    const char *what; /* "epoll", "timer" */
};

struct copy_thread {
    pid_t tid;
    uintptr_t pointer; /* pthread_self(); 0: not known */
};

struct shared_copy {
    atomic_uint state; /* enum copy_state */
    int error;         /* of COPY_FAILED: -errno */
    size_t bytes;      /* of all this */

    /* From the process, before the copy is made or while the threads are stopped. */
    char *maps; /* COPY_MAPS_BYTES */
    struct kernel_word *words;
    size_t words_count;
    size_t blocks_room;

    /* From the copy. */
    struct reach_block *blocks;
    uint32_t blocks_count;
    uint64_t in_use_blocks; /* as the recorder has counted them */
    uint64_t in_use_bytes;
    uint32_t *reached; /* numbers of held blocks, see probe_flood */
    uint32_t reached_count;
    uint64_t missed; /* blocks that the recorder could not follow, see recorder.h */
    struct reach_root *roots;
    uint32_t roots_count;
    struct copy_thread *threads; /* by their number */
    size_t threads_count;
    size_t inexact;   /* threads whose registers are not all known */
    size_t not_read;  /* regions that could not be read */
    bool heap_unsure; /* not all of the allocator's memory is known */
};

/* Takes the memory, with room for so many blocks. NULL: memory is short. Nothing of it
 * costs anything before it is used. */
struct shared_copy *probe_shared_copy_take(size_t blocks);

void probe_shared_copy_give(struct shared_copy *shared);

#endif
