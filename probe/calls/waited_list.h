/*
 * The functions of the C library that wait and also make or end something that is
 * noted: WAITED(PURE or WORK, result, name, parameters, arguments, before, after).
 * `before` is a statement before the call, `after` one behind it, which knows `got`,
 * the result.
 *
 * Included by plain_waits.c for the servers, and by probe/preload/wait_calls.c for the
 * library for other programs, where these waits are noted like those of wait_list.h.
 */

/* A thread that is joined is forgotten only then; its pthread_t may be another thread's
 * by that time. */
#define WHICH uint64_t which = probe_thread_which(thread)
#define JOINED probe_thread_joined(got == 0 ? which : 0)

/* At the end of the wait for a condition variable the thread waits for the mutex. */
#define CONDITION(variable, its_mutex, is_timed)                                       \
    LOCK_WAIT_HERE(.call = LOCK_CALL_CONDITION, .lock = (its_mutex),                   \
                   .condition = (variable), .timed = (is_timed))

/* What waitid has written says which child is no longer there. */
#define REAPED                                                                         \
    probe_child_gone(got == 0 && info != NULL && (options & WNOWAIT) == 0 &&           \
                             (info->si_code == CLD_EXITED ||                           \
                              info->si_code == CLD_KILLED ||                           \
                              info->si_code == CLD_DUMPED)                             \
                         ? info->si_pid                                                \
                         : 0)

/* Whether the child has ended: wait and its like also tell of one that only stopped. */
#define ENDED(status, options)                                                         \
    probe_child_gone(probe_child_ended(got, status, options) ? got : 0)

/* The stack of what is made begins with the caller of the function here. */
#define FRAME __builtin_frame_address(0)

/* For another thread. */
WAITED(PURE, int, pthread_cond_wait,
       (pthread_cond_t * condition, pthread_mutex_t *mutex), (condition, mutex),
       CONDITION(condition, mutex, false), )
WAITED(PURE, int, pthread_cond_timedwait,
       (pthread_cond_t * condition, pthread_mutex_t *mutex, const struct timespec *end),
       (condition, mutex, end), CONDITION(condition, mutex, true), )
WAITED(PURE, int, pthread_cond_clockwait,
       (pthread_cond_t * condition, pthread_mutex_t *mutex, clockid_t clock,
        const struct timespec *end),
       (condition, mutex, clock, end), CONDITION(condition, mutex, true), )
WAITED(PURE, int, cnd_wait, (cnd_t * condition, mtx_t *mutex), (condition, mutex),
       CONDITION(condition, mutex, false), )
WAITED(PURE, int, cnd_timedwait,
       (cnd_t * condition, mtx_t *mutex, const struct timespec *end),
       (condition, mutex, end), CONDITION(condition, mutex, true), )
WAITED(PURE, int, pthread_join, (pthread_t thread, void **result), (thread, result),
       WHICH, JOINED)
WAITED(PURE, int, pthread_timedjoin_np,
       (pthread_t thread, void **result, const struct timespec *end),
       (thread, result, end), WHICH, JOINED)
WAITED(PURE, int, pthread_clockjoin_np,
       (pthread_t thread, void **result, clockid_t clock, const struct timespec *end),
       (thread, result, clock, end), WHICH, JOINED)
WAITED(PURE, int, thrd_join, (thrd_t thread, int *result), (thread, result), WHICH,
       JOINED)

/* On a socket. */
WAITED(PURE, int, accept, (int fd, __SOCKADDR_ARG address, socklen_t *length),
       (fd, address, length), , probe_fd_made(got, FD_SOCKET, FRAME))
WAITED(PURE, int, accept4,
       (int fd, __SOCKADDR_ARG address, socklen_t *length, int flags),
       (fd, address, length, flags), , probe_fd_made(got, FD_SOCKET, FRAME))
WAITED(PURE, ssize_t, recvmsg, (int fd, struct msghdr *message, int flags),
       (fd, message, flags), , probe_fds_received(got, message, FRAME))
WAITED(PURE, int, recvmmsg,
       (int fd, struct mmsghdr *messages, unsigned count, int flags,
        struct timespec *timeout),
       (fd, messages, count, flags, timeout), ,
       probe_fds_received_all(got, messages, FRAME))

/* For a child. */
WAITED(WORK, pid_t, wait, (int *status), (status), , ENDED(status, 0))
WAITED(WORK, pid_t, waitpid, (pid_t child, int *status, int options),
       (child, status, options), , ENDED(status, options))
WAITED(WORK, pid_t, wait3, (int *status, int options, struct rusage *usage),
       (status, options, usage), , ENDED(status, options))
WAITED(WORK, pid_t, wait4,
       (pid_t child, int *status, int options, struct rusage *usage),
       (child, status, options, usage), , ENDED(status, options))
WAITED(WORK, int, waitid, (idtype_t type, id_t id, siginfo_t *info, int options),
       (type, id, info, options), , REAPED)
