/*
 * Which stack opened each descriptor. Read and written without a lock: open and close
 * may be called anywhere. A note is written after the kernel has given the number, and
 * taken away before it gets it back, because another thread may have it at once.
 */
#ifndef PROBE_RESOURCES_DESCRIPTOR_NOTES_H
#define PROBE_RESOURCES_DESCRIPTOR_NOTES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "probe/resources/resources.h"

/* What the function that opened it opens. A list compares it with what the kernel shows
 * (fds_list.c): then a number that was closed and opened again out of our sight does
 * not keep a note that is not its own. */
enum descriptor_kind {
    FD_ANY, /* a copy, or one that was received */
    FD_FILE,
    FD_SOCKET,
    FD_PIPE,
    FD_EPOLL,
    FD_EVENT,
    FD_TIMER,
    FD_SIGNAL,
    FD_INOTIFY,
    FD_FANOTIFY,
    FD_PROCESS, /* a pidfd */
    FD_MEMORY,  /* memfd_create */
    FD_QUEUE,   /* mq_open: the kernel shows a file */
    FD_OTHER,   /* none of these: io_uring_setup, fsopen ... */
};

/* Notes a descriptor that the caller of the function with this frame has just got. If
 * it is negative, errno may say that the limit is reached (descriptor_limit.h); nothing
 * else is done. Keeps errno, as all functions here do. */
void probe_fd_made(int fd, enum descriptor_kind kind, const void *frame);

/* The same for both of pipe, socketpair and the like, whose `result` is 0 if they are
 * made. */
void probe_fds_made(int result, const int fds[2], enum descriptor_kind kind,
                    const void *frame);

/* The same for standard input, output and error, which others have just taken the place
 * of. */
void probe_fds_standard(const void *frame);

/* The same for each descriptor that came with a message (SCM_RIGHTS in unix(7),
 * SCM_PIDFD). `result` is what recvmsg has returned: if negative, nothing came. */
void probe_fds_received(ssize_t result, const struct msghdr *message,
                        const void *frame);

/* The same for recvmmsg, which has returned `count`. */
void probe_fds_received_all(int count, const struct mmsghdr *messages,
                            const void *frame);

/* Forgets a descriptor that is about to be closed. The second: all from `first` to
 * `last`. */
void probe_fd_gone(int fd);
void probe_fds_gone(unsigned first, unsigned last);

/* The same around close_range with these flags, which has returned `result`; `before`
 * is what the first one returned. Nothing is forgotten if it closes none of the
 * descriptors that the kernel lists: it fails, or only marks them for exec, or the
 * calling thread gets some of its own (descriptor_tables.h). */
uint64_t probe_fds_closing(unsigned first, unsigned last, int flags);
void probe_fds_closed(unsigned first, unsigned last, int flags, uint64_t before,
                      int result);

/* Around a function that does more before it closes a descriptor, and that may take
 * its time: fclose writes what is left. If the note is still the same afterwards, it is
 * forgotten then; meanwhile it is in force. */
void probe_fd_closing(int fd);
void probe_fd_closed(int fd);

/* Around dup2 and dup3, if `from` is another number than `to`: takes the note of `to`
 * away before, and notes what has come there, or puts the note back if nothing has.
 * `got` is the result. */
uint64_t probe_fd_take(int fd);
void probe_fd_copied(int from, int to, int got, uint64_t taken, const void *frame);

/* In a forked child: it has copies of the forking thread's descriptors. */
void probe_fds_fork_child(void);

/* What is noted of a descriptor. */
struct descriptor_note {
    struct resource_note note; /* the stack is 0 if there is none */
    enum descriptor_kind kind;
    bool closing;
    uint64_t word; /* another one for every note, but for descriptors that one stack has
                      opened within RESOURCE_TICK_NS; 0 if there is none */
};
struct descriptor_note probe_fd_note(int fd);

/* Forgets a note that turned out to be of another descriptor, unless there is a new one
 * by now. */
void probe_fd_disbelieve(int fd, uint64_t word);

#endif
