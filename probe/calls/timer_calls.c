/*
 * Functions that make and delete POSIX timers.
 */
#include <signal.h>
#include <time.h>

#include "probe/calls/real_function.h"
#include "probe/resources/timer_notes.h"

PROBE_REAL(timer_create)
PROBE_REAL(timer_delete)

PROBE_EXPORT int timer_create(clockid_t clock, struct sigevent *event,
                              timer_t *ret_timer)
{
    int result = timer_create_real()(clock, event, ret_timer);
    if (result == 0) {
        probe_timer_made(*ret_timer, __builtin_frame_address(0));
    }
    return result;
}

/* Forgotten before it is gone: another thread may get the same timer_t at once. */
PROBE_EXPORT int timer_delete(timer_t timer)
{
    struct note_entry entry;
    bool noted = probe_timer_gone(timer, &entry);
    int result = timer_delete_real()(timer);
    if (result != 0 && noted) {
        probe_timer_stays(entry);
    }
    return result;
}
