/*
 * A descriptor in a program that is not ours. It has a high number, because programs
 * rely on the low ones. And it is remembered which socket it stands for: the program
 * may close any number with a raw system call, and then open something of its own at
 * it. All calls keep EINTR to themselves.
 */
#ifndef PROBE_LISTENER_DESCRIPTOR_H
#define PROBE_LISTENER_DESCRIPTOR_H

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

/* { -1 } is none. Other threads may read `fd`. */
struct descriptor {
    atomic_int fd;
    dev_t device;
    ino_t inode;
};

/* Takes over the socket `fd`, and moves it to a number from `from` on. If
 * RLIMIT_NOFILE does not allow that, to the highest number that is free. Returns 0, or
 * -errno with the socket closed. */
int probe_descriptor_take(struct descriptor *descriptor, int fd, int from);

/* Whether the number still stands for the same socket. If not, forgets the number. */
bool probe_descriptor_check(struct descriptor *descriptor);

/* Closes the socket, if it is still there. Does nothing if there is none. */
void probe_descriptor_close(struct descriptor *descriptor);

#endif
