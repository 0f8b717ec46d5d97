/*
 * A slot for each thread that is asked for its stack, and the signal handler that
 * answers into it. threads.c alone uses this, under its lock, so one round at a time.
 */
#ifndef PROBE_THREADS_THREAD_SLOTS_H
#define PROBE_THREADS_THREAD_SLOTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "probe/threads/thread_entry.h"
#include "probe/threads/thread_records.h"

/* Sets THREADS_MAX slots aside and installs the handler. Returns 0 or -errno. */
int probe_thread_slots_start(void);

/* Begins a round. Every slot of the last one must have been closed. */
void probe_thread_slots_begin(void);

/* False if an answer of an earlier round is still being written there: such a slot must
 * not be used in this round. */
bool probe_thread_slot_free(size_t number);

/* Notes that the thread is not asked, and says whether that was noted in this round. */
void probe_thread_slot_skip(size_t number);
bool probe_thread_slot_skipped(size_t number);

/* Asks the thread to answer into the slot. Returns 0 or -errno: ESRCH if it has ended,
 * EAGAIN if the kernel queues no more signals for now (RLIMIT_SIGPENDING). */
int probe_thread_slot_ask(size_t number, pid_t tid);

/* Lets the calling thread answer into the slot. */
void probe_thread_slot_ask_self(size_t number);

/* Whether the thread was asked, and no answer has come yet. */
bool probe_thread_slot_waits(size_t number);

/* Gives up on a slot: returns true if no answer had come, nor will. If its handler is
 * just writing, waits for that moment to pass. */
bool probe_thread_slot_close(size_t number);

/* This round's answer, good until the next round; NULL if there is none. */
const struct thread_answer *probe_thread_slot_answer(size_t number);

/* How many have answered in this round. */
unsigned probe_thread_slots_answered(void);

/* Waits until so many have answered, or until that moment of CLOCK_MONOTONIC, in
 * nanoseconds. Returns whether they have. */
bool probe_thread_slots_wait(unsigned target, int64_t until);

#endif
