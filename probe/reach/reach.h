/*
 * Which blocks of the heap can still be reached, and who holds them: of the living
 * process, as it is at one moment.
 *
 *   all threads are stopped           freeze.h      some ms: `stopped_ns`
 *   the process is copied (clone)
 *   the threads go on
 *   the copy finds blocks and roots   copy_work.h   regions.h, block_index.h
 *   this process names the roots      `name_roots`
 *   the copy walks from the roots     flood.h
 *   the answer                        struct reach
 *
 * The copy has no descriptor of the program's, handles no signal, is no child that the
 * program could wait for, and ends with the thread that asked. Needs the exact
 * recorder.
 *
 * Its memory, while it works: about 64 bytes for each block, and a copy of each page
 * that the program writes to meanwhile. If that is too much for the system, the copy is
 * ended, and not the program.
 */
#ifndef PROBE_REACH_REACH_H
#define PROBE_REACH_REACH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "probe/reach/process_parts.h"
#include "probe/reach/shared_copy.h"

/* How long the copy may take, without the time for the names. */
#define REACH_LIMIT_MS 20000

struct reach_question {
    /* Writes the holder of each root: equal numbers are the same. Called once, while
     * the copy waits. Returns 0 or -errno. */
    int (*name_roots)(struct shared_copy *copy, const struct process_parts *parts,
                      void *argument);
    void *argument;

    /* The calling thread ends the program: only what it had when it called exit holds
     * blocks, see exit_caller.h. */
    bool exits;

    /* Waits for some ms; returns 0, or -ECANCELED if the caller is to stop. */
    int (*sleep)(void *owner, unsigned ms);
    void *owner;
};

struct reach {
    struct shared_copy *copy; /* blocks and roots */
    struct process_parts parts;
    int64_t stopped_ns; /* how long the threads were stopped */
    int64_t began_ns;   /* base/clock.h */
};

/* Asks. Returns 0, and then the caller releases it; -EBUSY if another question is being
 * answered; -ENOTSUP without the exact recorder, or on this processor; -ETIMEDOUT;
 * -ECANCELED; -ECHILD if the copy has ended early, or was ended; -EUSERS if
 * no more processes may be started; an error of probe_threads_freeze,
 * with -EDEADLK in place of -EBUSY and the thread in ret_stubborn; -EFAULT if a block
 * cannot be read; -E2BIG, -ENOMEM or another -errno. */
int probe_reach_ask(const struct reach_question *question, struct reach *ret_reach,
                    pid_t *ret_stubborn);

void probe_reach_release(struct reach *reach);

/* In a forked child: no question is being answered. */
void probe_reach_fork_child(void);

/* Whether this child is, or may be, the copy of the process in which a question is
 * being answered. */
bool probe_reach_is_copy(pid_t child);

#endif
