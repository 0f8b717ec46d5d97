/*
 * Whether the process is close to RLIMIT_NOFILE. The kernel gives the lowest free
 * number, so a high number is a sign of many descriptors: it costs one comparison. What
 * is then done about it is the work of another thread (descriptor_alarm.h).
 */
#ifndef PROBE_RESOURCES_DESCRIPTOR_LIMIT_H
#define PROBE_RESOURCES_DESCRIPTOR_LIMIT_H

#include <stdatomic.h>
#include <stdbool.h>

/* From this many descriptors on, of a limit, the process is close to it. */
static inline unsigned long long probe_fd_limit_near(unsigned long long limit)
{
    return limit - limit / 10;
}

/* The number from which on probe_fd_limit_reached is called. */
extern atomic_int probe_fd_limit_from;

/* Looks at the limit, and asks for the alarm if this number is close to it. */
void probe_fd_limit_reached(int fd);

/* To be called with each number that is new. */
static inline void probe_fd_limit_look(int fd)
{
    if (fd >= atomic_load_explicit(&probe_fd_limit_from, memory_order_relaxed)) {
        probe_fd_limit_reached(fd);
    }
}

/* A call has failed: if errno says that the limit is reached, asks for the alarm. */
void probe_fd_limit_refused(void);

/* The limit may be another one now. */
void probe_fd_limit_changed(void);

/* Begins to look. `wake` is called when the alarm is asked for, by the thread that
 * opens, also in a signal handler; it returns false if it could not wake anybody, and
 * is then called again. It is not asked for again before probe_fd_limit_rearm. */
void probe_fd_limit_watch(bool (*wake)(void));

/* Whether the alarm is asked for. */
bool probe_fd_limit_asked(void);

/* Looks again from now on. */
void probe_fd_limit_rearm(void);

#endif
