/*
 * The functions of the C library that wait: WAIT(PURE or WORK, result, name,
 * parameters, arguments). PURE ones do nothing but wait, or read what has come.
 * Included twice by wait_calls.c, which defines WAIT.
 *
 * Here are all that a signal ends early in spite of SA_RESTART (signal(7)), with an
 * error, with a part of the work, or with less sleep; and most of the others in which
 * threads spend their time, because a signal costs more. Left out is what waits rarely
 * and is called often, such as pthread_mutex_lock. WITHOUT is a set of signals without
 * ours.
 */

/* Sleeping. */
WAIT(PURE, int, nanosleep, (const struct timespec *time, struct timespec *left),
     (time, left))
WAIT(PURE, int, clock_nanosleep,
     (clockid_t clock, int flags, const struct timespec *time, struct timespec *left),
     (clock, flags, time, left))
WAIT(PURE, int, usleep, (useconds_t time), (time))
WAIT(PURE, unsigned, sleep, (unsigned seconds), (seconds))
WAIT(PURE, int, thrd_sleep, (const struct timespec *time, struct timespec *left),
     (time, left))

/* Until a descriptor is ready. */
WAIT(PURE, int, poll, (struct pollfd * fds, nfds_t count, int timeout),
     (fds, count, timeout))
WAIT(PURE, int, __poll_chk,
     (struct pollfd * fds, nfds_t count, int timeout, size_t fds_size),
     (fds, count, timeout, fds_size))
WAIT(PURE, int, ppoll,
     (struct pollfd * fds, nfds_t count, const struct timespec *timeout,
      const sigset_t *mask),
     (fds, count, timeout, WITHOUT(mask)))
WAIT(PURE, int, __ppoll_chk,
     (struct pollfd * fds, nfds_t count, const struct timespec *timeout,
      const sigset_t *mask, size_t fds_size),
     (fds, count, timeout, WITHOUT(mask), fds_size))
WAIT(PURE, int, select,
     (int count, fd_set *reads, fd_set *writes, fd_set *errors,
      struct timeval *timeout),
     (count, reads, writes, errors, timeout))
WAIT(PURE, int, pselect,
     (int count, fd_set *reads, fd_set *writes, fd_set *errors,
      const struct timespec *timeout, const sigset_t *mask),
     (count, reads, writes, errors, timeout, WITHOUT(mask)))
WAIT(PURE, int, epoll_wait,
     (int fd, struct epoll_event *events, int count, int timeout),
     (fd, events, count, timeout))
WAIT(PURE, int, epoll_pwait,
     (int fd, struct epoll_event *events, int count, int timeout, const sigset_t *mask),
     (fd, events, count, timeout, WITHOUT(mask)))
WAIT(PURE, int, epoll_pwait2,
     (int fd, struct epoll_event *events, int count, const struct timespec *timeout,
      const sigset_t *mask),
     (fd, events, count, timeout, WITHOUT(mask)))

/* For a signal. */
WAIT(PURE, int, pause, (void), ())
WAIT(PURE, int, sigsuspend, (const sigset_t *mask), (WITHOUT(mask)))
WAIT(PURE, int, sigwait, (const sigset_t *set, int *number), (WITHOUT(set), number))
WAIT(PURE, int, sigwaitinfo, (const sigset_t *set, siginfo_t *info),
     (WITHOUT(set), info))
WAIT(PURE, int, sigtimedwait,
     (const sigset_t *set, siginfo_t *info, const struct timespec *timeout),
     (WITHOUT(set), info, timeout))

/* For another thread. */
WAIT(PURE, int, sem_wait, (sem_t * semaphore), (semaphore))
WAIT(PURE, int, sem_timedwait, (sem_t * semaphore, const struct timespec *end),
     (semaphore, end))
WAIT(PURE, int, sem_clockwait,
     (sem_t * semaphore, clockid_t clock, const struct timespec *end),
     (semaphore, clock, end))
WAIT(PURE, int, pthread_barrier_wait, (pthread_barrier_t * barrier), (barrier))

/* For messages, semaphores and work in the background. */
WAIT(PURE, ssize_t, msgrcv,
     (int queue, void *message, size_t size, long type, int flags),
     (queue, message, size, type, flags))
WAIT(WORK, int, msgsnd, (int queue, const void *message, size_t size, int flags),
     (queue, message, size, flags))
WAIT(PURE, int, semop, (int set, struct sembuf *operations, size_t count),
     (set, operations, count))
WAIT(PURE, int, semtimedop,
     (int set, struct sembuf *operations, size_t count, const struct timespec *timeout),
     (set, operations, count, timeout))
WAIT(PURE, ssize_t, mq_receive,
     (mqd_t queue, char *message, size_t size, unsigned *priority),
     (queue, message, size, priority))
WAIT(PURE, ssize_t, mq_timedreceive,
     (mqd_t queue, char *message, size_t size, unsigned *priority,
      const struct timespec *end),
     (queue, message, size, priority, end))
WAIT(WORK, int, mq_send,
     (mqd_t queue, const char *message, size_t size, unsigned priority),
     (queue, message, size, priority))
WAIT(WORK, int, mq_timedsend,
     (mqd_t queue, const char *message, size_t size, unsigned priority,
      const struct timespec *end),
     (queue, message, size, priority, end))
WAIT(PURE, int, aio_suspend,
     (const struct aiocb *const *list, int count, const struct timespec *timeout),
     (list, count, timeout))

/* On a socket. */
WAIT(WORK, int, connect, (int fd, __CONST_SOCKADDR_ARG address, socklen_t length),
     (fd, address, length))
WAIT(PURE, ssize_t, recv, (int fd, void *data, size_t size, int flags),
     (fd, data, size, flags))
WAIT(PURE, ssize_t, __recv_chk,
     (int fd, void *data, size_t size, size_t data_size, int flags),
     (fd, data, size, data_size, flags))
WAIT(PURE, ssize_t, recvfrom,
     (int fd, void *data, size_t size, int flags, __SOCKADDR_ARG address,
      socklen_t *length),
     (fd, data, size, flags, address, length))
WAIT(PURE, ssize_t, __recvfrom_chk,
     (int fd, void *data, size_t size, size_t data_size, int flags,
      __SOCKADDR_ARG address, socklen_t *length),
     (fd, data, size, data_size, flags, address, length))
WAIT(WORK, ssize_t, send, (int fd, const void *data, size_t size, int flags),
     (fd, data, size, flags))
WAIT(WORK, ssize_t, sendto,
     (int fd, const void *data, size_t size, int flags, __CONST_SOCKADDR_ARG address,
      socklen_t length),
     (fd, data, size, flags, address, length))
WAIT(WORK, ssize_t, sendmsg, (int fd, const struct msghdr *message, int flags),
     (fd, message, flags))
WAIT(WORK, int, sendmmsg, (int fd, struct mmsghdr *messages, unsigned count, int flags),
     (fd, messages, count, flags))

/* On any descriptor: it may be a socket, or a pipe that takes a part of the data. */
WAIT(PURE, ssize_t, read, (int fd, void *data, size_t size), (fd, data, size))
WAIT(PURE, ssize_t, __read_chk, (int fd, void *data, size_t size, size_t data_size),
     (fd, data, size, data_size))
WAIT(PURE, ssize_t, readv, (int fd, const struct iovec *parts, int count),
     (fd, parts, count))
WAIT(WORK, ssize_t, write, (int fd, const void *data, size_t size), (fd, data, size))
WAIT(WORK, ssize_t, writev, (int fd, const struct iovec *parts, int count),
     (fd, parts, count))
WAIT(WORK, ssize_t, sendfile, (int to, int from, off_t *offset, size_t size),
     (to, from, offset, size))
WAIT(WORK, ssize_t, sendfile64, (int to, int from, off64_t *offset, size_t size),
     (to, from, offset, size))
WAIT(WORK, ssize_t, splice,
     (int from, off64_t *from_offset, int to, off64_t *to_offset, size_t size,
      unsigned flags),
     (from, from_offset, to, to_offset, size, flags))
WAIT(WORK, ssize_t, tee, (int from, int to, size_t size, unsigned flags),
     (from, to, size, flags))
WAIT(WORK, ssize_t, vmsplice,
     (int fd, const struct iovec *parts, size_t count, unsigned flags),
     (fd, parts, count, flags))
WAIT(WORK, int, flock, (int fd, int operation), (fd, operation))
WAIT(WORK, int, lockf, (int fd, int command, off_t size), (fd, command, size))
WAIT(WORK, int, lockf64, (int fd, int command, off64_t size), (fd, command, size))

/* For a child. */
