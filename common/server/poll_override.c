/*
 * Replaces poll for the whole process, libraries included: this one continues after a
 * signal. The C library's poll ends with EINTR, in spite of SA_RESTART (signal(7)), and
 * civetweb then closes the connection. Without this file a thread profile would cut off
 * every client that is just sending or keeps its connection open. The linker searches
 * the program first, so the libraries use this poll.
 */
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <time.h>

#include "base/clock.h"

int poll(struct pollfd *fds, nfds_t count, int timeout_ms)
{
    int64_t end = timeout_ms < 0 ? 0 : clock_now_ns() + timeout_ms * CLOCK_NS_PER_MS;
    int64_t left = timeout_ms * CLOCK_NS_PER_MS;
    for (;;) {
        struct timespec timeout = {.tv_sec = left / CLOCK_NS_PER_SECOND,
                                   .tv_nsec = left % CLOCK_NS_PER_SECOND};
        int ready = ppoll(fds, count, timeout_ms < 0 ? NULL : &timeout, NULL);
        if (ready >= 0 || errno != EINTR) {
            return ready;
        }
        left = timeout_ms < 0 ? 0 : end - clock_now_ns();
        if (left < 0) {
            left = 0; /* poll once more, without waiting */
        }
    }
}
