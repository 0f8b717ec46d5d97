/*
 * Which stack started each child process, until it was waited for. All functions keep
 * errno and may be called in a signal handler.
 */
#ifndef PROBE_RESOURCES_CHILD_NOTES_H
#define PROBE_RESOURCES_CHILD_NOTES_H

#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

#include "probe/resources/note_table.h"
#include "probe/resources/resources.h"

/* Notes a child; nothing happens if `child` is not positive. */
void probe_child_made(pid_t child, const void *frame);

/* The same after posix_spawn, which has returned `error`; gives the caller the pid,
 * too, as that function does: `ret_child` may be NULL. */
void probe_child_spawned(int error, pid_t child, pid_t *ret_child, const void *frame);

/* Forgets a child that was waited for; nothing happens if `child` is not positive. */
void probe_child_gone(pid_t child);

/* The child behind a stream that popen has just opened, or pclose is about to close; 0
 * if it is not known. */
pid_t probe_child_behind(FILE *stream);

/* All notes, by pid. */
extern struct note_table probe_child_notes;

/* Around fork. The child has no children. */
void probe_child_hold(void);
void probe_child_release(void);
void probe_child_forget_all(void);

#endif
