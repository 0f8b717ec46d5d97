/*
 * A socket of the probe in a program that is not ours. Its descriptor has a high
 * number, because programs rely on the low ones. And it is remembered which socket the
 * number stands for: the program may close it with a raw system call, and then open
 * something of its own there.
 */
#ifndef PROBE_LISTENER_OWN_SOCKET_H
#define PROBE_LISTENER_OWN_SOCKET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

/* { -1 } is none. Other threads may read `fd`. */
struct own_socket {
    atomic_int fd;
    dev_t device;
    ino_t inode;
};

/* Takes over the socket `fd`, and moves it to a number from `from` on, or as high as
 * possible; in a process with probe_descriptors_protect, to where that says. Returns 0,
 * or -errno with the socket closed. */
int probe_own_socket_take(struct own_socket *own, int fd, int from);

/* Whether the number still stands for the same socket. If not, forgets the number. */
bool probe_own_socket_check(struct own_socket *own);

/* Closes the socket, if it is still there. Does nothing if there is none. */
void probe_own_socket_close(struct own_socket *own);

#endif
