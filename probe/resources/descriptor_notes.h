/*
 * Which stack opened each descriptor. Read and written without a lock: open and close
 * may be called anywhere.
 */
#ifndef PROBE_RESOURCES_DESCRIPTOR_NOTES_H
#define PROBE_RESOURCES_DESCRIPTOR_NOTES_H

#include <sys/socket.h>

#include "probe/resources/resources.h"

/* Notes a descriptor that the caller of the function with this frame has just got. Does
 * nothing if it is negative. Keeps errno, as all functions here do. */
void probe_fd_made(int fd, const void *frame);

/* The same for each descriptor that came with a message (SCM_RIGHTS in unix(7)).
 * `result` is what recvmsg has returned: if negative, nothing came. */
void probe_fds_received(ssize_t result, const struct msghdr *message,
                        const void *frame);

/* The same for recvmmsg, which has returned `count`. */
void probe_fds_received_all(int count, const struct mmsghdr *messages,
                            const void *frame);

/* Forgets a descriptor that is about to be closed: afterwards another thread may get
 * its number at once. The second: all from `first` to `last`. */
void probe_fd_gone(int fd);
void probe_fds_gone(unsigned first, unsigned last);

/* Its note; the stack is 0 if there is none. */
struct resource_note probe_fd_note(int fd);

#endif
