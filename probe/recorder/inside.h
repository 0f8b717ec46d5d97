/*
 * Whether a call is the program's own. Everything that the probe records about the
 * program looks here first: what the probe itself allocates, opens or waits for is not
 * the program's. One flag for all of it: with two, one part of the probe would record
 * the work of the other, which can deadlock.
 */
#ifndef PROBE_RECORDER_INSIDE_H
#define PROBE_RECORDER_INSIDE_H

#include <stdbool.h>

/* Whether the functions that stand in front of the C library's record anything in this
 * process. If not, they only call the real ones: the instruments are not wanted here,
 * or have not been started yet. Written before the program has threads. */
extern bool probe_active;

/* How many times the thread has entered the probe and not left it; 0: it runs the
 * program's own code. The model initial-exec makes every access a plain load: other
 * models may call malloc. */
extern _Thread_local unsigned probe_inside __attribute__((tls_model("initial-exec")));

/* How many changes of the recorder's tables the thread is in the middle of: also
 * between the moments when realloc takes a block's note away and when it notes the new
 * block. Whoever stops the thread to look at the tables lets it finish first. */
extern _Thread_local unsigned probe_changing __attribute__((tls_model("initial-exec")));

#endif
