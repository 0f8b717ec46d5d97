/*
 * Thread profiles: for a C process what Go's goroutine profile is for a Go one. Made
 * from the stacks that probe_threads_read took.
 */
#ifndef PROBE_THREADS_THREAD_PROFILE_H
#define PROBE_THREADS_THREAD_PROFILE_H

#include "base/buffer.h"
#include "probe/threads/threads.h"

/* Appends profile.proto: how many threads have each stack. `type` names the values:
 * "goroutine" is what readers made for Go look for, "threads" is what they are. Silent
 * threads count as a function of their own, "thread_did_not_answer". Returns 0 or
 * -ENOMEM. */
int probe_thread_profile_proto(const struct threads *threads, const char *type,
                               struct buffer *ret_profile);

/* Appends the text of ?debug=1: "threads profile: total N", then for each stack, the
 * most numerous first, "N @ 0x.. 0x.." and a comment line for each frame; silent
 * threads are named in comments. go tool pprof reads it as a count profile; it takes
 * one off each address, so each is written one too high, the leaf's as well. Returns 0
 * or -ENOMEM. */
int probe_thread_profile_text(const struct threads *threads, struct buffer *ret_text);

/* Appends the text of ?debug=2: a block for each thread, the oldest first:
 *
 *     thread 4243 "thread-wait" [sleeping, at least 12 s]:
 *     job_wait
 *             leaky/thread_wait.c:38 +0x22
 *
 * The threads must have been read with details. Returns 0 or -ENOMEM. */
int probe_thread_profile_blocks(const struct threads *threads, struct buffer *ret_text);

#endif
