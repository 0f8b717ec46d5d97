/*
 * Whether the calling thread is inside the probe. Everything that the probe records
 * about the program looks here first: what the probe itself allocates, opens or waits
 * for is not the program's. One flag for all of it: with two, one part of the probe
 * would record the work of the other, which can deadlock.
 */
#ifndef PROBE_RECORDER_INSIDE_H
#define PROBE_RECORDER_INSIDE_H

/* How many times the thread has entered the probe and not left it; 0: it runs the
 * program's own code. The model initial-exec makes every access a plain load: other
 * models may call malloc. */
extern _Thread_local unsigned probe_inside __attribute__((tls_model("initial-exec")));

#endif
