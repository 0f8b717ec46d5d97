/*
 * From signal(7), "Interruption of system calls and library functions by signal
 * handlers".
 */
#include "probe/preload/wait_numbers.h"

#include <stddef.h>
#include <sys/syscall.h>

static bool is_one_of(long number, const long *numbers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (numbers[i] == number) {
            return true;
        }
    }
    return false;
}

bool probe_wait_number_ends_early(long number)
{
    static const long numbers[] = {
#ifdef SYS_poll
        SYS_poll,
        SYS_select,
        SYS_epoll_wait,
        SYS_pause,
#endif
#ifdef SYS_io_pgetevents
        SYS_io_pgetevents,
#endif
#ifdef SYS_epoll_pwait2
        SYS_epoll_pwait2,
#endif
#ifdef SYS_io_uring_enter
        SYS_io_uring_enter,
#endif
        SYS_ppoll,
        SYS_pselect6,
        SYS_epoll_pwait,
        SYS_nanosleep,
        SYS_clock_nanosleep,
        SYS_rt_sigsuspend,
        SYS_rt_sigtimedwait,
        SYS_msgrcv,
        SYS_msgsnd,
        SYS_semop,
        SYS_semtimedop,
        SYS_io_getevents,
        SYS_restart_syscall,
    };
    return is_one_of(number, numbers, sizeof(numbers) / sizeof(numbers[0]));
}

bool probe_wait_number_waits(long number)
{
    static const long numbers[] = {
        SYS_futex,    SYS_read,    SYS_readv,           SYS_write,        SYS_writev,
        SYS_accept,   SYS_accept4, SYS_connect,         SYS_recvfrom,     SYS_recvmsg,
        SYS_recvmmsg, SYS_sendto,  SYS_sendmsg,         SYS_sendmmsg,     SYS_wait4,
        SYS_waitid,   SYS_flock,   SYS_mq_timedreceive, SYS_mq_timedsend,
    };
    return probe_wait_number_ends_early(number) ||
           is_one_of(number, numbers, sizeof(numbers) / sizeof(numbers[0]));
}
