/*
 * Which stack made each POSIX timer. The key of a note is the timer_t, as the program
 * knows it: for a timer whose notification is a thread that is not the kernel's number,
 * see probe_timer_of.
 */
#ifndef PROBE_RESOURCES_TIMER_NOTES_H
#define PROBE_RESOURCES_TIMER_NOTES_H

#include <stdint.h>
#include <time.h>

#include "probe/resources/note_table.h"
#include "probe/resources/resources.h"

/* Notes a timer that the caller of the function with this frame has just made. All
 * functions here keep errno. */
void probe_timer_made(timer_t timer, const void *frame);

/* Forgets a timer that is about to be deleted. Returns whether it was noted. */
bool probe_timer_gone(timer_t timer, struct note_entry *ret_entry);

/* It could not be deleted. */
void probe_timer_stays(struct note_entry entry);

/* The note of a timer; the stack is 0 if there is none. */
struct resource_note probe_timer_note(timer_t timer);

/* The signal with which the C library makes a thread of its own call the function of a
 * timer with SIGEV_THREAD: the first real-time signal, which programs cannot use. */
#define TIMER_THREAD_SIGNAL 32

/* What the C library has as the timer_t of the timer that the kernel shows with this
 * number, signal and value: the number; or, if the signal is TIMER_THREAD_SIGNAL, the
 * address in the value, shifted, with the highest bit set (glibc,
 * sysdeps/unix/sysv/linux/kernel-posix-timers.h; 2.34 to 2.43 at least). In another C
 * library such a timer has no note under this name, and stands as made unseen. */
timer_t probe_timer_of(int number, int signal, uintptr_t value);

/* Around fork. A child inherits no timers. */
void probe_timer_notes_hold(void);
void probe_timer_notes_release(void);
void probe_timer_notes_fork_child(void);

#endif
