/*
 * The family: this process and those that it was forked from or has forked, each with
 * the probe and a debug port of its own. They share a page of memory that fork passes
 * on.
 */
#ifndef PROBE_PRELOAD_FAMILY_H
#define PROBE_PRELOAD_FAMILY_H

#include "base/buffer.h"

/* Makes the shared memory, before the first fork. Returns 0 or -errno; without it every
 * process is alone. */
int probe_family_start(void);

/* Adds the calling process, whose pages are at `url`; what it had said before is
 * replaced. A family that is full does not list it. */
void probe_family_join(const char *name, const char *url);

/* Takes the calling process out. */
void probe_family_leave(void);

/* Appends an HTML list of the living members, but nothing if there is only one. */
void probe_family_add(struct buffer *text);

#endif
