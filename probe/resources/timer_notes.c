#include "probe/resources/timer_notes.h"

void probe_timer_made(timer_t timer, const void *frame)
{
    (void)timer, (void)frame;
}

void probe_timer_gone(timer_t timer)
{
    (void)timer;
}
