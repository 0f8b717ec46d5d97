/*
 * The stacks of all threads of this process. Each thread is sent a signal; its handler
 * unwinds the thread's own stack into a slot that was set aside for it; the caller
 * waits, with a time limit. A thread that does not answer is listed as silent.
 *
 *   threads_page     takes its turn (turn.h): no caller waits much longer than others
 *        |
 *   threads_read     lists /proc/self/task; for each thread:
 *        |  has it run since the last round?         thread_records.h
 *        |-- no:  its stack of then is still right  <-- the last round's records
 *        |-- yes: signal --> handler --> its slot    thread_slots.h
 *        |             all have answered, or 2 s are over
 *        |  answers --> this round's records, for the next round
 *        |  name, state, times from /proc            thread_details.h
 *        v
 *   struct threads   equal stacks counted once --> thread_profile.h: proto or text
 *
 * What main must do: call probe_threads_start before any other thread exists, and leave
 * THREADS_SIGNAL unblocked: threads inherit the mask, and one that blocks the signal
 * stays silent. Every wait in the program must go on after EINTR: SA_RESTART is set,
 * but poll, nanosleep and their like end all the same (signal(7)).
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

/* Lives in memory that the caller owns; { 0 } is empty. */
struct threads {
    struct buffer entries; /* struct thread_entry, oldest thread first */
    size_t count;
    size_t silent;        /* of these */
    struct stacks stacks; /* the first value of each: how many threads have it */
};

/* Installs the handler, sets the slots aside and opens what is read later. Returns 0 or
 * -errno. */
int probe_threads_start(void);

/* Takes the stacks of all threads; one caller at a time, others wait their turn. The
 * thread that asks is among them. A thread that has not run since it last answered is
 * not asked again: its stack is still the same (see thread_records.h). With `details`,
 * name, state and times are read too, which costs two small files a thread.
 *
 * Linux does not say how long a thread has been waiting, and being asked wakes it. So
 * two things are put together. /proc/<pid>/task/<tid>/sched tells when it last ran
 * (exec_start, where the kernel has it): that holds for a thread that was never asked
 * before. And each round notes a thread's stack, its processor time, and how often it
 * has gone to sleep: if at the next round it has not run, or has the same stack and
 * went to sleep but once more, then nothing but our question has woken it, and it waits
 * since the time found earlier. The time is a lower bound: of a wait that began before
 * a first round without details, it counts from that round.
 *
 * Returns 0, -ENOMEM, -errno from reading /proc; nothing is to be released then. */
int probe_threads_read(bool details, struct threads *ret_threads);

struct thread_entry *probe_threads_at(const struct threads *threads, size_t number);

void probe_threads_release(struct threads *threads);

#endif
