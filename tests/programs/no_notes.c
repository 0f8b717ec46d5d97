/*
 * In place of the notes of what is made and of locks that are waited for, for a library
 * that has the wrappers of waits alone: nothing is noted.
 */
#include "probe/calls/number_notes.h"
#include "probe/locks/lock_waits.h"
#include "probe/resources/child_notes.h"
#include "probe/resources/descriptor_notes.h"
#include "probe/resources/thread_notes.h"

void probe_child_gone(pid_t child)
{
    (void)child;
}

bool probe_child_ended(pid_t child, const int *status, int options)
{
    (void)child, (void)status, (void)options;
    return false;
}

void probe_fd_made(int fd, enum descriptor_kind kind, const void *frame)
{
    (void)fd, (void)kind, (void)frame;
}

void probe_fds_received(ssize_t result, const struct msghdr *message, const void *frame)
{
    (void)result, (void)message, (void)frame;
}

void probe_fds_received_all(int count, const struct mmsghdr *messages,
                            const void *frame)
{
    (void)count, (void)messages, (void)frame;
}

uint64_t probe_thread_which(pthread_t thread)
{
    (void)thread;
    return 0;
}

void probe_thread_joined(uint64_t which)
{
    (void)which;
}

uint64_t probe_number_begins(long number, const long arguments[6])
{
    (void)number, (void)arguments;
    return 0;
}

void probe_number_ended(long number, const long arguments[6], long result,
                        uint64_t taken, const void *frame)
{
    (void)number, (void)arguments, (void)result, (void)taken, (void)frame;
}

void probe_lock_wait_begin(struct lock_wait *wait)
{
    (void)wait;
}

void probe_lock_wait_end(struct lock_wait *wait)
{
    (void)wait;
}

void probe_lock_waits_abandon(void)
{
}
