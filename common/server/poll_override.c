/*
 * A poll that goes on after a signal. The C library's ends early with EINTR, whatever
 * SA_RESTART says (signal(7)), and civetweb takes that for the end of the connection: a
 * thread profile would cut off every client that is just sending or keeps a connection
 * for later. The libraries find this poll before the C library's, because the program
 * comes first in the search order.
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
            left = 0; /* look once more, without waiting */
        }
    }
}
