/*
 * Calls of the same kind share a word. Some exist only on some processors.
 */
#include "probe/trace/system_calls.h"

#include <stddef.h>
#include <sys/syscall.h>

static const struct {
    long number;
    const char *word;
} calls[] = {
    {SYS_futex, "futex"},
    {SYS_clock_nanosleep, "sleep"},
    {SYS_nanosleep, "sleep"},
    {SYS_ppoll, "poll"},
    {SYS_pselect6, "select"},
    {SYS_epoll_pwait, "epoll"},
#ifdef SYS_poll
    {SYS_poll, "poll"},
    {SYS_select, "select"},
    {SYS_epoll_wait, "epoll"},
    {SYS_pause, "signal"},
#endif
    {SYS_rt_sigtimedwait, "signal"},
    {SYS_rt_sigsuspend, "signal"},
    {SYS_accept, "accept"},
    {SYS_accept4, "accept"},
    {SYS_connect, "connect"},
    {SYS_read, "read"},
    {SYS_readv, "read"},
    {SYS_recvfrom, "receive"},
    {SYS_recvmsg, "receive"},
    {SYS_write, "write"},
    {SYS_writev, "write"},
    {SYS_sendto, "send"},
    {SYS_sendmsg, "send"},
    {SYS_wait4, "child"},
    {SYS_waitid, "child"},
    {SYS_flock, "file lock"},
    {SYS_fcntl, "file lock"},
    {SYS_fsync, "disk"},
    {SYS_fdatasync, "disk"},
    {SYS_msgrcv, "message"},
    {SYS_mq_timedreceive, "message"},
    {SYS_semtimedop, "semaphore"},
    {SYS_io_getevents, "disk"},
};

const char *probe_system_call_word(long number)
{
    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        if (calls[i].number == number) {
            return calls[i].word;
        }
    }
    return NULL;
}
