/*
 * The socket that a listener accepts on: a TCP port on the loopback address, or a Unix
 * socket that only the user may open.
 */
#ifndef PROBE_LISTENER_DOORWAY_H
#define PROBE_LISTENER_DOORWAY_H

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>
#include <sys/un.h>

#include "probe/listener/own_socket.h"

/* Lives in memory that the caller owns. */
struct doorway {
    struct own_socket socket;
    int port;                   /* 0: a Unix socket */
    struct sockaddr_un address; /* of a Unix socket */
    dev_t device;               /* its file */
    ino_t inode;
    pid_t owner; /* the process that made the file, and removes it */
};

/* Opens the first of `ports` ports from `port` on that is free; 0 means any one.
 * Returns 0 or -errno: -EADDRINUSE if all of them are taken. */
int probe_doorway_open_port(struct doorway *doorway, int port, unsigned ports,
                            int fd_from);

/* Opens a Unix socket. A file that is a socket at which nobody answers is replaced.
 * Returns 0 or -errno: -EADDRINUSE if somebody answers there, -EEXIST if the file is no
 * socket, -ENAMETOOLONG. */
int probe_doorway_open_path(struct doorway *doorway, const char *path, int fd_from);

/* Opens the same port or path again, after the socket has been lost. Returns 0 or
 * -errno. */
int probe_doorway_reopen(struct doorway *doorway, int fd_from);

/* Accepts a connection that waits: its descriptor, or -errno; -EAGAIN: none waits. */
int probe_doorway_accept(struct doorway *doorway);

/* Connects to the door from inside, so that a poll on it returns. */
void probe_doorway_knock(const struct doorway *doorway);

/* Closes the socket; a Unix socket's file is removed by the process that made it. */
void probe_doorway_close(struct doorway *doorway);

#endif
