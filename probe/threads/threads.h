/*
 * The stacks of all threads of this process. Each thread gets a signal; its handler
 * unwinds the thread's own stack into a slot; the caller waits, with a time limit. This
 * is one round. A thread that does not answer is listed as silent.
 *
 *   threads_page     takes a fair lock (turn.h): no caller waits much longer than
 * others
 *        |
 *   threads_read     lists /proc/self/task; for each thread:
 *        |  has it run since the last round?         thread_records.h
 *        |-- no:  its last stack is still right      <-- the last round's records
 *        |-- yes: held in a wait? read from outside  thread_source.h, stack_walk.h
 *        |-- yes: signal --> handler --> its slot    thread_slots.h
 *        |             all have answered, or 2 s are over
 *        |  answers --> this round's records, for the next round
 *        |  name, state, times from /proc            thread_details.h
 *        v
 *   struct threads   equal stacks counted once --> thread_profile.h: proto or text
 *
 * main calls probe_threads_start before any other thread exists, and leaves
 * THREADS_SIGNAL unblocked: threads inherit the signal mask, and a thread that blocks
 * the signal stays silent. Every wait in the program must be repeated after EINTR:
 * SA_RESTART is set, but poll, nanosleep and some others end anyway (signal(7)).
 */
#ifndef PROBE_THREADS_THREADS_H
#define PROBE_THREADS_THREADS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buffer.h"
#include "probe/stacks/stacks.h"
#include "probe/threads/thread_entry.h"
#include "probe/threads/thread_source.h"

/* Lives in memory that the caller owns; { 0 } is empty. */
struct threads {
    struct buffer entries; /* struct thread_entry, oldest thread first */
    size_t count;
    size_t silent;        /* threads without an answer */
    size_t asked;         /* threads that got a signal; the others have not run */
    int64_t taken_ns;     /* when the round began: clock_now_ns */
    struct stacks stacks; /* the first value of each: how many threads have it */
};

/* Installs the handler, allocates the slots and opens /proc/self/task. Returns 0 or
 * -errno. */
int probe_threads_start(void);

/* What a program that is not ours needs; call it after probe_threads_start.
 * `source` (may be NULL) holds threads so that they need no signal. Frames of code from
 * `hidden_start` to `hidden_end` are left out of other threads' stacks. */
struct threads_settings {
    const struct thread_source *source;
    uintptr_t hidden_start;
    uintptr_t hidden_end;
};
void probe_threads_settle(const struct threads_settings *settings);

/* Chooses another signal than THREADS_SIGNAL, also before the start; waits for a round
 * to end. The old one does again what it did before. -1: none, then nobody is asked.
 * Returns 0 or -errno. */
int probe_threads_move_signal(int signal);

/* In a forked child, by its only thread: forgets the parent's threads. Returns 0; or
 * -errno if the child's threads cannot be listed: then every reading fails. */
int probe_threads_fork_child(void);

/* Takes the stacks of all threads, the caller's too; other callers wait meanwhile. A
 * thread that has not run since its last answer is not asked again: its stack is still
 * the same (see thread_records.h). With `details`, name, state and times are read too:
 * two small files for each thread.
 *
 * Linux does not say how long a thread has been waiting, and the signal wakes it. So
 * `waited_ns` comes from two sources. For a thread that was never asked before,
 * /proc/<pid>/task/<tid>/sched says when it last ran (exec_start, if the kernel has it,
 * and if that was on the caller's processor: others have other clocks). For the others,
 * each round keeps the stack, the processor time, and how often the thread has gone to
 * sleep. If at the next round it has not run, or has the same stack and has gone to
 * sleep only once more, then only our signal has woken it, and its wait began when the
 * earlier round says. The time is a lower bound: if the first round was one without
 * details, it counts from that round.
 *
 * Returns 0; -ENOTSUP before probe_threads_start; -ENOMEM; -ESRCH if /proc shows other
 * processes than the caller's namespace has; or -errno from reading /proc. After an
 * error there is nothing to release. */
int probe_threads_read(bool details, struct threads *ret_threads);

/* The same for a caller that takes many rounds: what a round costs depends on how many
 * threads have run since the last one. Of these it reads name, state, lifetime, and the
 * system call that they wait in; of the others (`unchanged`) nothing but the stack. */
int probe_threads_read_waits(struct threads *ret_threads);

/* Reads name, state, lifetime and system call of one thread now. Right for a thread
 * that is `unchanged`: the others have just been woken by a signal. */
void probe_threads_read_wait(struct thread_entry *entry);

/* For another kind of round (freeze.h): waits until none is under way, and returns the
 * open directory of the threads; or -errno, and then there is nothing to end. Writes
 * the source, which may be NULL. */
int probe_threads_round_begin(const struct thread_source **ret_source);
void probe_threads_round_end(void);

/* The entry of thread number `number`, from 0; `threads` owns it. */
struct thread_entry *probe_threads_at(const struct threads *threads, size_t number);

void probe_threads_release(struct threads *threads);

#endif
