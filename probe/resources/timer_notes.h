/*
 * Which stack made each POSIX timer.
 */
#ifndef PROBE_RESOURCES_TIMER_NOTES_H
#define PROBE_RESOURCES_TIMER_NOTES_H

#include <time.h>

#include "probe/resources/resources.h"

/* Notes a timer that the caller of the function with this frame has just made. */
void probe_timer_made(timer_t timer, const void *frame);

/* Forgets a timer that is about to be deleted. */
void probe_timer_gone(timer_t timer);

#endif
