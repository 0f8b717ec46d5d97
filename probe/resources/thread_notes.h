/*
 * Which stack started each thread, from its beginning until it has ended and was joined
 * or detached.
 *
 *   pthread_create: probe_thread_note, the real call with a start function of ours, in
 *                   which the new thread says that it begins; probe_thread_made
 *   a join:         probe_thread_which, the real call, probe_thread_joined
 *
 * A thread's end is not noted: it has ended when the kernel no longer lists it. So it
 * does not matter how it ends. Notes of threads that are gone are used again.
 */
#ifndef PROBE_RESOURCES_THREAD_NOTES_H
#define PROBE_RESOURCES_THREAD_NOTES_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "probe/resources/resources.h"
#include "probe/resources/thread_numbers.h"

/* What a new thread runs: of pthread_create, or of thrd_create. */
struct thread_task {
    union {
        void *(*posix)(void *);
        int (*c11)(void *);
    } routine;
    void *argument;
};

struct thread_note;

/* Begins to note, in the main thread: counts the numbers of the threads that there are.
 * Errors mean that probe_thread_number_reused is not certain of anything. */
void probe_thread_notes_start(void);

/* The note of a thread that is about to be started by the caller of the function with
 * this frame. `attributes` may be NULL. Returns NULL if the thread is not to be noted.
 * Call probe_thread_made afterwards. */
struct thread_note *probe_thread_note(const pthread_attr_t *attributes,
                                      struct thread_task task, const void *frame);

/* The new thread begins, with this note. Returns what it is to run. */
struct thread_task probe_thread_begins(struct thread_note *note);

/* The thread was started, and is `*thread`; or could not be, and the note is given
 * back. */
void probe_thread_made(struct thread_note *note, const pthread_t *thread, bool started);

/* The number of the thread's note: it is not given to another thread, as the pthread_t
 * may be as soon as the thread is joined. 0: there is none. While the notes are busy,
 * which is only while a thread forks, it is the pthread_t that is returned, in a form
 * that the functions below know. */
uint64_t probe_thread_which(pthread_t thread);

/* The thread with this note was joined, or detached; nothing happens if it is 0. */
void probe_thread_joined(uint64_t which);
void probe_thread_detached(uint64_t which);

/* The probe's own thread, of which there is one at most, says its number. */
void probe_thread_own(pid_t tid);
bool probe_thread_is_own(pid_t tid);

/* A copy of what is noted of a thread. */
struct thread_noted {
    uint64_t which;
    struct resource_note note;
    pid_t tid;         /* 0: it has not begun yet */
    pthread_t thread;  /* 0: not known yet */
    int64_t begun_ns;  /* CLOCK_BOOTTIME: it has begun before that */
    size_t stack_most; /* bytes: no more of the mapping around it can be its stack;
                          SIZE_MAX: the whole mapping is */
    bool let_go;       /* joined or detached: its end leaves nothing behind */
};

/* Appends all notes (struct thread_noted). Returns 0 or -ENOMEM. */
int probe_thread_notes_copy(struct buffer *ret_notes);

/* Whether the thread was neither joined nor detached until now. */
bool probe_thread_is_kept(uint64_t which);

/* How many notes there is memory for. */
size_t probe_thread_notes_room(void);

/* Around fork. The child has the calling thread alone, as its main thread, which nobody
 * has started there: all notes are forgotten. */
void probe_thread_notes_hold(void);
void probe_thread_notes_release(void);
void probe_thread_notes_fork_child(void);

#endif
