/*
 * One line when a process is close to RLIMIT_NOFILE, which names the stack that opened
 * most of its descriptors. It is said once, until they have fallen below half of the
 * limit.
 */
#ifndef PROBE_RESOURCES_DESCRIPTOR_ALARM_H
#define PROBE_RESOURCES_DESCRIPTOR_ALARM_H

#include <stdbool.h>
#include <stdint.h>

/* Begins to watch; `wake` as for probe_fd_limit_watch. The line comes `settle_ns` after
 * that: a program that opens many at once would take what the work needs. `say` gets
 * the line, without a newline: "922 of 1024 descriptors are open; most (870) were
 * opened by note_open src/x.c:55 (see /debug/pprof/fds?debug=1)". */
void probe_fd_alarm_start(bool (*wake)(void), void (*say)(const char *line),
                          int64_t settle_ns);

/* Does what there is to do; mostly that is nothing, and costs one comparison. Not to be
 * called where a program's thread waits: it reads symbols. If another thread is at it,
 * nothing is done. Returns when it is to be called again, as clock_now_ns; 0: when
 * `wake` was called. */
int64_t probe_fd_alarm_tick(int64_t now_ns);

/* Whether probe_fd_alarm_tick has something to do, for which it opens files. */
bool probe_fd_alarm_is_due(int64_t now_ns);

/* At the end of the process, when no thread ticks any more: says what is left to say.
 */
void probe_fd_alarm_end(void);

/* In a forked child: it has said nothing yet. */
void probe_fd_alarm_fork_child(void);

#endif
