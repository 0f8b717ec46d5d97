/*
 * Thread profiles: the same for a C process as the goroutine profile for a Go program.
 * They are made from the stacks that probe_threads_read has taken.
 */
#ifndef PROBE_THREADS_THREAD_PROFILE_H
#define PROBE_THREADS_THREAD_PROFILE_H

#include "base/buffer.h"
#include "probe/threads/threads.h"

/* Appends profile.proto: how many threads have each stack. `type` is the name of the
 * values: "goroutine" for readers that expect Go's name, or "threads". Silent threads
 * are shown as one function, "thread_did_not_answer". Returns 0 or -ENOMEM. */
int probe_thread_profile_proto(const struct threads *threads, const char *type,
                               struct buffer *ret_profile);

/* Appends the text of ?debug=1: "threads profile: total N", then for each stack "N @
 * 0x.. 0x.." and a comment line for each frame. Stacks with the most threads come
 * first; silent threads are named in comments. go tool pprof reads this as a count
 * profile. It subtracts one from each address, so each address is written plus one, the
 * leaf's too. Returns 0 or -ENOMEM. */
int probe_thread_profile_text(const struct threads *threads, struct buffer *ret_text);

/* What else is known of the threads: `append` adds it to a thread's heading. */
struct thread_remarks {
    void (*append)(const void *owner, pid_t tid, struct buffer *text);
    const void *owner;
};

/* Appends the text of ?debug=2: a block for each thread, the oldest first:
 *
 *     thread 4243 "thread-wait" [sleeping, at least 12 s]:
 *     job_wait
 *             leaky/thread_wait.c:38 +0x22
 *
 * The threads must have been read with details. `remarks` may be NULL. Returns 0 or
 * -ENOMEM. */
int probe_thread_profile_blocks(const struct threads *threads,
                                const struct thread_remarks *remarks,
                                struct buffer *ret_text);

#endif
