/*
 * Each function here notes the registers in a wait_frame, calls the C library's
 * function of the same name, and leaves the wait. It leaves too when the thread is
 * cancelled meanwhile: the unwinding runs the frame's cleanup, for which this file is
 * compiled with -fexceptions. Results, errno and cancellation are those of the C
 * library. A wait of the probe itself only passes through.
 */

/* With it, the headers would define some of these functions themselves. */
#undef _FORTIFY_SOURCE

#include "probe/preload/wait_calls.h"

#include <aio.h>
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/msg.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

#include "probe/calls/number_notes.h"
#include "probe/calls/real_function.h"
#include "probe/locks/lock_waits.h"
#include "probe/preload/signal_calls.h"
#include "probe/preload/wait_numbers.h"
#include "probe/preload/wait_records.h"
#include "probe/recorder/inside.h"
#include "probe/resources/child_notes.h"
#include "probe/resources/descriptor_notes.h"
#include "probe/resources/thread_notes.h"

#define PURE true
#define WORK false

static atomic_bool watched;
static atomic_bool wake_up;
static void (*first_wait)(void);
static void (*before_number)(long number, const long arguments[6]);
static void (*before_jump)(void);

/* Calls first_wait, in the first thread that comes here. Not in a signal handler, as
 * far as that is known. */
static void wake_up_now(void)
{
    if (!probe_wait_inside() && atomic_exchange(&wake_up, false)) {
        int saved = errno;
        first_wait();
        errno = saved;
    }
}

/* Whether the wait that begins is noted. */
static inline bool is_watched(bool is_pure)
{
    if (probe_inside != 0 || !atomic_load_explicit(&watched, memory_order_relaxed)) {
        return false;
    }
    if (is_pure && atomic_load_explicit(&wake_up, memory_order_relaxed)) {
        wake_up_now();
    }
    return true;
}

/* A wait until the end of the block. A handler that interrupts probe_wait_enter may be
 * where the thread is cancelled: then the frame has no record yet. */
#define WAIT_HERE(address)                                                             \
    struct wait_frame frame __attribute__((cleanup(probe_wait_leave)));                \
    frame.record = NULL;                                                               \
    frame.function = (const void *)(address);                                          \
    probe_wait_registers(&frame.registers);                                            \
    probe_wait_enter(&frame)

/* NOLINTBEGIN(bugprone-macro-parentheses): lists of arguments are in their own */
#define WITHOUT(set) probe_signals_without(set, &(sigset_t){{0}})

#define WAIT(is_pure, result, function, parameters, arguments)                         \
    result function parameters;                                                        \
    PROBE_REAL(function)                                                               \
    PROBE_EXPORT result function parameters                                            \
    {                                                                                  \
        if (!is_watched(is_pure)) {                                                    \
            return function##_real() arguments;                                        \
        }                                                                              \
        WAIT_HERE(function##_real());                                                  \
        return function##_real() arguments;                                            \
    }
#include "probe/preload/wait_list.h"
#undef WAIT

#define WAITED(is_pure, result, function, parameters, arguments, before, after)        \
    result function parameters;                                                        \
    PROBE_REAL(function)                                                               \
    static result function##_waited parameters                                         \
    {                                                                                  \
        if (!is_watched(is_pure)) {                                                    \
            return function##_real() arguments;                                        \
        }                                                                              \
        WAIT_HERE(function##_real());                                                  \
        return function##_real() arguments;                                            \
    }                                                                                  \
    PROBE_EXPORT result function parameters                                            \
    {                                                                                  \
        before;                                                                        \
        result got = function##_waited arguments;                                      \
        after;                                                                         \
        return got;                                                                    \
    }
#include "probe/calls/waited_list.h"
#undef WAITED
/* NOLINTEND(bugprone-macro-parentheses) */

PROBE_REAL(fcntl)
PROBE_REAL(fcntl64)
PROBE_REAL(syscall)
PROBE_REAL(longjmp)
PROBE_REAL(_longjmp)
PROBE_REAL(siglongjmp)
void __longjmp_chk(struct __jmp_buf_tag place[1], int value) __attribute__((noreturn));
PROBE_REAL(__longjmp_chk)

/* Of the commands of fcntl only these wait. Each takes one argument at most, which fits
 * into a pointer. */
static bool command_waits(int command)
{
    return command == F_SETLKW || command == F_OFD_SETLKW;
}

/* These make a descriptor. */
static bool command_copies(int command)
{
    return command == F_DUPFD || command == F_DUPFD_CLOEXEC;
}

PROBE_EXPORT int fcntl(int fd, int command, ...)
{
    va_list rest;
    va_start(rest, command);
    void *argument = va_arg(rest, void *);
    va_end(rest);
    if (command_copies(command)) {
        int got = fcntl_real()(fd, command, argument);
        probe_fd_made(got, FD_ANY, FRAME);
        return got;
    }
    if (!command_waits(command) || !is_watched(WORK)) {
        return fcntl_real()(fd, command, argument);
    }
    WAIT_HERE(fcntl_real());
    return fcntl_real()(fd, command, argument);
}

PROBE_EXPORT int fcntl64(int fd, int command, ...)
{
    va_list rest;
    va_start(rest, command);
    void *argument = va_arg(rest, void *);
    va_end(rest);
    if (command_copies(command)) {
        int got = fcntl64_real()(fd, command, argument);
        probe_fd_made(got, FD_ANY, FRAME);
        return got;
    }
    if (!command_waits(command) || !is_watched(WORK)) {
        return fcntl64_real()(fd, command, argument);
    }
    WAIT_HERE(fcntl64_real());
    return fcntl64_real()(fd, command, argument);
}

static long syscall_waited(long number, const long a[6])
{
    if (probe_inside != 0 || !probe_wait_number_waits(number) || !is_watched(WORK)) {
        return syscall_real()(number, a[0], a[1], a[2], a[3], a[4], a[5]);
    }
    WAIT_HERE(syscall_real());
    return syscall_real()(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

PROBE_EXPORT long syscall(long number, ...)
{
    long a[6];
    va_list rest;
    va_start(rest, number);
    for (int i = 0; i < 6; i++) {
        a[i] = va_arg(rest, long);
    }
    va_end(rest);
    if (before_number != NULL) {
        before_number(number, a);
    }
    uint64_t taken = probe_number_begins(number, a);
    long result = syscall_waited(number, a);
    probe_number_ended(number, a, result, taken, FRAME);
    return result;
}

static void waits_abandon(void)
{
    if (before_jump != NULL) {
        before_jump();
    }
    probe_wait_abandon();
    probe_lock_waits_abandon();
}

/* A signal handler may jump out of a wait, which then is over. If it jumps only within
 * the handler, no more is lost than the note of a wait that a signal has ended. */
PROBE_EXPORT void longjmp(struct __jmp_buf_tag place[1], int value)
{
    waits_abandon();
    longjmp_real()(place, value);
    __builtin_unreachable();
}

PROBE_EXPORT void _longjmp(struct __jmp_buf_tag place[1], int value)
{
    waits_abandon();
    _longjmp_real()(place, value);
    __builtin_unreachable();
}

PROBE_EXPORT void siglongjmp(struct __jmp_buf_tag place[1], int value)
{
    waits_abandon();
    siglongjmp_real()(place, value);
    __builtin_unreachable();
}

PROBE_EXPORT void __longjmp_chk(struct __jmp_buf_tag place[1], int value)
{
    waits_abandon();
    __longjmp_chk_real()(place, value);
    __builtin_unreachable();
}

void probe_wait_calls_start(void (*new_first_wait)(void))
{
    probe_real_find_all();
    first_wait = new_first_wait;
    atomic_store(&watched, true);
}

void probe_wait_calls_before(void (*number)(long number, const long arguments[6]),
                             void (*jump)(void))
{
    before_number = number;
    before_jump = jump;
}

void probe_wait_calls_wake_up(void)
{
    atomic_store(&wake_up, first_wait != NULL);
}
