#include "probe/resources/descriptor_limit.h"

#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <sys/resource.h>

atomic_int probe_fd_limit_from = INT_MAX;

static bool (*wake_alarm)(void);
static atomic_bool asked;

/* The number that is close to the limit; INT_MAX if there is no limit. */
static int near_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur > INT_MAX) {
        return INT_MAX;
    }
    return (int)probe_fd_limit_near(limit.rlim_cur);
}

static void ask(void)
{
    if (wake_alarm == NULL || atomic_exchange(&asked, true)) {
        return;
    }
    atomic_store(&probe_fd_limit_from, INT_MAX);
    if (!wake_alarm()) {
        probe_fd_limit_rearm();
    }
}

void probe_fd_limit_reached(int fd)
{
    int saved = errno;
    int from = near_limit();
    if (fd < from) {
        atomic_store(&probe_fd_limit_from, from);
    } else {
        ask();
    }
    errno = saved;
}

void probe_fd_limit_refused(void)
{
    if (errno == EMFILE) {
        ask();
        errno = EMFILE;
    }
}

void probe_fd_limit_changed(void)
{
    if (wake_alarm != NULL && !atomic_load(&asked)) {
        int saved = errno;
        atomic_store(&probe_fd_limit_from, near_limit());
        errno = saved;
    }
}

void probe_fd_limit_watch(bool (*wake)(void))
{
    wake_alarm = wake;
    probe_fd_limit_rearm();
}

bool probe_fd_limit_asked(void)
{
    return atomic_load_explicit(&asked, memory_order_relaxed);
}

void probe_fd_limit_rearm(void)
{
    atomic_store(&asked, false);
    probe_fd_limit_changed();
}
