/*
 * Our own heap recorder: which stack allocated each block that is in use. It works over
 * whatever allocator the program has: the caller reports each block after it was
 * allocated and before it is freed.
 *
 *   malloc, new ...  --> probe_recorder_allocated: takes the stack (call_stack.h),
 *                        counts there (stack_records.h), and notes the block with the
 *                        stack's number (live_blocks.h)
 *   free, delete ... --> probe_recorder_freed: takes the block's note away
 *   a profile        --> probe_recorder_snapshot: copies the counts of all stacks;
 *                        what is in use is counted from the notes
 *
 * All memory comes from mmap, never from the allocator that is recorded. The functions
 * can be called from any thread; calls from inside the probe (inside.h) record nothing.
 */
#ifndef PROBE_RECORDER_RECORDER_H
#define PROBE_RECORDER_RECORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "probe/recorder/note.h"
#include "probe/stacks/stacks.h"

enum recorder_mode {
    RECORDER_OFF,
    RECORDER_EXACT,   /* every block */
    RECORDER_SAMPLED, /* a Poisson process over the bytes: one block in every `period`
                         bytes, on average */
};

#define RECORDER_PERIOD ((size_t)512 * 1024) /* bytes: as gperftools and Go */

/* Code of the probe or the allocator, whose frames are left out where a stack begins
 * with them. (Those of probe/calls/ are left out wherever they are.) At most 4 ranges;
 * call it before probe_recorder_start. */
void probe_recorder_skip(uintptr_t start, uintptr_t end);

/* How many frames at the beginning of a stack are such code. */
size_t probe_recorder_skipped(const uintptr_t *frames, size_t depth);

/* Begins to record, from now on and until the process ends. `period` is for
 * RECORDER_SAMPLED. Returns 0 or -errno: -ENOSYS if the library libunwind is not there.
 */
int probe_recorder_start(enum recorder_mode mode, size_t period);

/* Starts it before the constructors of the libraries run, with RECORDER_EXACT. Before
 * they have run, nothing may be opened: so the stacks come from libgcc's unwinder until
 * probe_recorder_start has opened another one. */
void probe_recorder_start_early(void);

/* Stops it if it has started early: what it has noted is forgotten.
 * probe_recorder_start does so, too, where not every allocation is to be recorded. */
void probe_recorder_stop_early(void);

/* What it was started with; RECORDER_OFF before. */
enum recorder_mode probe_recorder_mode(void);
size_t probe_recorder_period(void);

/* Notes a block that was allocated: the requested bytes, and the stack of the caller.
 * Does nothing if `block` is NULL. Keeps errno, as all functions here do. */
void probe_recorder_allocated(const void *block, size_t bytes);

/* The same, for a stack that begins with the caller of another function: `frame` is
 * what __builtin_frame_address(0) is in that function, which has not returned. A
 * wrapper of malloc that calls it leaves no trace of itself in the profile. */
void probe_recorder_allocated_by(const void *block, size_t bytes, const void *frame);

/* Notes that a block is about to be freed. Call it before the allocator has it back:
 * afterwards another thread may already have got the same address. Works inside the
 * probe and in signal handlers too; if one of these meets a part of the table that is
 * in use, the block stays noted, and is counted as lost. */
void probe_recorder_freed(const void *block);

/* For realloc: takes the note of a block away before the allocator moves it, without
 * counting; `note.stack` is 0 if there is none. When realloc has succeeded the old
 * block needs nothing more, and the new one is noted like any other; when it has failed
 * probe_recorder_put_back puts the note back. */
struct recorder_note probe_recorder_take(const void *block);
void probe_recorder_put_back(struct recorder_note note, const void *block);

/* A signal handler that has interrupted the probe jumps out of it, maybe: then the
 * blocks of this thread are no longer noted. Counts one of them as lost. */
void probe_recorder_jumped(void);

struct recorder_figures {
    uint64_t allocations; /* blocks since the start */
    uint64_t allocated_bytes;
    uint64_t frees; /* of blocks that were recorded */
    uint64_t freed_bytes;
    uint64_t own_bytes; /* memory that the recorder itself has taken */
    uint64_t lost;      /* blocks that could not be noted, or not seen to go: memory was
                           short, or see probe_recorder_freed and _jumped */
    uint64_t stacks;    /* different stacks */
};

/* Reads the figures; when sampled, estimates without bias. Allocates nothing. */
void probe_recorder_read_figures(struct recorder_figures *ret_figures);

/* `lost` of the figures alone: takes no lock. */
uint64_t probe_recorder_missed(void);

/* Copies the counts of all stacks: alloc objects and bytes, in-use objects and bytes,
 * in the order of heap_profile.h. `raw` leaves samples as they were counted
 * (gperftools' text has these); otherwise they are scaled, each by the probability with
 * which a block of its size is sampled. Frames as in stacks.h: inside the call. Returns
 * 0 or -ENOMEM. */
int probe_recorder_snapshot(bool raw, struct stacks *ret_stacks);

/* Around fork: no other thread may hold one of the recorder's locks while the process
 * is copied. For pthread_atfork. */
void probe_recorder_fork_prepare(void);
void probe_recorder_fork_parent(void);
void probe_recorder_fork_child(void);

#endif
