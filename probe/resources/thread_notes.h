/*
 * Which stack started each thread, from its beginning until it has ended and was joined
 * or detached.
 */
#ifndef PROBE_RESOURCES_THREAD_NOTES_H
#define PROBE_RESOURCES_THREAD_NOTES_H

#include <pthread.h>
#include <stdint.h>

#include "probe/resources/resources.h"

/* The number of the thread's note: it is not given to another thread, as the pthread_t
 * may be as soon as the thread is joined. 0: there is none. */
uint64_t probe_thread_which(pthread_t thread);

/* The thread with this note was joined; nothing happens if it is 0. */
void probe_thread_joined(uint64_t which);

#endif
