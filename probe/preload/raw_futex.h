/*
 * The system call futex without the C library: its function `syscall` is one that we
 * replace, and it sets errno.
 */
#ifndef PROBE_PRELOAD_RAW_FUTEX_H
#define PROBE_PRELOAD_RAW_FUTEX_H

#include <linux/futex.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>

#ifdef __x86_64__

static inline void raw_futex(atomic_uint *word, int operation, unsigned value,
                             const struct timespec *timeout)
{
    long result = SYS_futex;
    register const struct timespec *fourth __asm__("r10") = timeout;
    __asm__ volatile("syscall"
                     : "+a"(result)
                     : "D"(word), "S"(operation), "d"(value), "r"(fourth)
                     : "rcx", "r11", "memory");
}

/* Waits while the word has this value, at most `ms` milliseconds, or until a signal. */
static inline void raw_futex_wait(atomic_uint *word, unsigned value, long ms)
{
    struct timespec timeout = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    raw_futex(word, FUTEX_WAIT_PRIVATE, value, &timeout);
}

static inline void raw_futex_wake(atomic_uint *word)
{
    raw_futex(word, FUTEX_WAKE_PRIVATE, 1, NULL);
}

#else

static inline void raw_futex_wait(atomic_uint *word, unsigned value, long ms)
{
    (void)word, (void)value, (void)ms;
}

static inline void raw_futex_wake(atomic_uint *word)
{
    (void)word;
}

#endif

#endif
