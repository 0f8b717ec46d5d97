/*
 * Which stack started each child process, until it was waited for.
 */
#ifndef PROBE_RESOURCES_CHILD_NOTES_H
#define PROBE_RESOURCES_CHILD_NOTES_H

#include <sys/types.h>

#include "probe/resources/resources.h"

/* Notes a child; nothing happens if `child` is not positive. */
void probe_child_made(pid_t child, const void *frame);

/* Forgets a child that was waited for; nothing happens if `child` is not positive. */
void probe_child_gone(pid_t child);

#endif
