/*
 * The few lines that the probe writes on standard error. Nothing is written when the
 * user wants it quiet, or when descriptor 2 is no longer what it was when the program
 * started: it may be the program's file or connection by now.
 */
#ifndef PROBE_PRELOAD_SAY_H
#define PROBE_PRELOAD_SAY_H

#include <stdbool.h>

/* Remembers what standard error is. */
void probe_say_start(bool quiet);

/* Writes "leakprobe: <text>\n" in one write; nothing if that would wait, or if nobody
 * reads. Keeps errno. */
void probe_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
