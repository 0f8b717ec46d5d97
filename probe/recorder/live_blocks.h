/*
 * The blocks that are in use: for each address its bytes and the number of its stack.
 * The table is split into shards, each with a lock of its own, so that threads seldom
 * meet. A block takes 32 to 64 bytes.
 */
#ifndef PROBE_RECORDER_LIVE_BLOCKS_H
#define PROBE_RECORDER_LIVE_BLOCKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "probe/recorder/note.h"

/* Notes a block. A note that the address had before is replaced: the probe did not see
 * that block go. Returns 0, -ENOMEM, or -EBUSY if a thread forks for long. */
int probe_live_add(uintptr_t address, struct recorder_note note);

/* What probe_live_take found. */
enum live_taken { LIVE_TAKEN, LIVE_UNKNOWN, LIVE_BUSY };

/* Takes a block's note out of the table. LIVE_BUSY: its shard stayed in use, as a
 * thread forks for long. With `wait` false it waits only a short while: for a signal
 * handler, which may have interrupted its own thread while that holds the shard. */
enum live_taken probe_live_take(uintptr_t address, bool wait,
                                struct recorder_note *ret_note);

/* Calls `visit` for each block. A shard's lock is held meanwhile: `visit` is short and
 * calls nothing of this table. */
void probe_live_each(void (*visit)(uintptr_t address, struct recorder_note note,
                                   void *argument),
                     void *argument);

/* The sums, see below, and each block, while no thread can be in the middle of a change
 * (probe_changing): they take no lock. */
void probe_live_stopped_sums(uint64_t *ret_blocks, uint64_t *ret_bytes);
void probe_live_stopped_each(void (*visit)(uintptr_t address, struct recorder_note note,
                                           void *argument),
                             void *argument);

/* The number of blocks, and their bytes. */
void probe_live_sums(uint64_t *ret_blocks, uint64_t *ret_bytes);

/* Forgets every block. */
void probe_live_forget_all(void);

/* Around fork: holds all shards. */
void probe_live_hold_all(void);
void probe_live_release_all(void);

#endif
