/*
 * A slot for each thread that is asked for its stack, and the signal handler that
 * writes its answer there. Only threads.c uses this, under its lock: there is one round
 * at a time.
 */
#ifndef PROBE_THREADS_THREAD_SLOTS_H
#define PROBE_THREADS_THREAD_SLOTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "probe/threads/thread_entry.h"
#include "probe/threads/thread_park.h"
#include "probe/threads/thread_records.h"
#include "probe/threads/thread_source.h"

/* Allocates THREADS_MAX slots and installs the handler. Returns 0 or -errno. */
int probe_thread_slots_start(void);

/* The source of held threads (may be NULL), and the range of code whose frames are left
 * out of the stacks of other threads. */
void probe_thread_slots_settle(const struct thread_source *source,
                               uintptr_t hidden_start, uintptr_t hidden_end);

/* Takes another signal (probe_threads_signal) from the next round on; the old one does
 * again what it did before. -1: none, then nobody is asked. Returns 0 or -errno. */
int probe_thread_slots_move(int signal);

/* In a forked child: none of the other threads is there. */
void probe_thread_slots_fork_child(void);

/* Begins a round and returns its number. Every slot of the last one must have been
 * closed. */
uint32_t probe_thread_slots_begin(void);

/* Whether the slot can be used in this round; false while an answer of an earlier round
 * is still being written there. */
bool probe_thread_slot_free(size_t number);

/* Notes that the thread is not asked in this round; and tells whether that was
 * noted. */
void probe_thread_slot_skip(size_t number);
bool probe_thread_slot_skipped(size_t number);

/* Sends the signal to the thread, whose handler answers into the slot. Returns 0,
 * -ESRCH if the thread has ended, or -EAGAIN if the kernel's queue of signals is full
 * (RLIMIT_SIGPENDING). */
int probe_thread_slot_ask(size_t number, pid_t tid);

/* The same, but the handler stays until probe_thread_park_release. */
int probe_thread_slot_park(size_t number, pid_t tid);

/* Whether the thread cannot stay now: it is changing the recorder's tables. Ask again.
 */
bool probe_thread_slot_busy(size_t number);

/* The thread that stays, without its tid; NULL if it does not. */
const struct parked_thread *probe_thread_slot_parked(size_t number);

/* Writes the calling thread's own stack into the slot. */
void probe_thread_slot_ask_self(size_t number);

/* Notes that the thread stays without an answer in this round. */
void probe_thread_slot_leave(size_t number);

/* Writes the stack of a thread that is held into the slot. */
void probe_thread_slot_read(size_t number, const struct thread_hold *hold);

/* Whether the thread was asked and has not answered yet. */
bool probe_thread_slot_waits(size_t number);

/* Ends the waiting for a slot. Returns true if there is no answer; none can come after
 * that. If the handler is just writing, waits a moment until it has finished. */
bool probe_thread_slot_close(size_t number);

/* This round's answer, valid until the next round; NULL if there is none. */
const struct thread_answer *probe_thread_slot_answer(size_t number);

/* How many threads have answered in this round. */
unsigned probe_thread_slots_answered(void);

/* Waits until `target` threads have answered, or until the time `until`
 * (CLOCK_MONOTONIC, nanoseconds). Returns whether they have answered. */
bool probe_thread_slots_wait(unsigned target, int64_t until);

#endif
