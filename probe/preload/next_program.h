/*
 * The environment of the program that a process is about to execute. A program that
 * does not start with the probe's library in it gets LD_PRELOAD without the library:
 * one with a sanitizer, with another C library, or for another kind of processor.
 */
#ifndef PROBE_PRELOAD_NEXT_PROGRAM_H
#define PROBE_PRELOAD_NEXT_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>

/* Remembers where the library is. */
void probe_next_start(void);

/* Whether the program fails, or complains, if the library is brought to it; of a
 * script, its interpreter. False too for what cannot be read. Safe in a signal handler
 * and in the child of vfork, as all functions here: nothing is allocated, and little of
 * the stack is needed. Keeps errno. Is no cancellation point. */
bool probe_next_refuses(const char *path);

/* The same of a command that is searched in PATH, as execvp does. */
bool probe_next_refuses_command(const char *command);

/* The number of entries of an environment, with the NULL that ends it. */
size_t probe_next_count(char *const names[]);

/* Longest value of LD_PRELOAD from which the library is taken; a longer one stays. */
#define NEXT_PRELOAD_MAX 4096

/* The bytes that the changed variable needs. */
size_t probe_next_preload_size(char *const names[]);

/* Writes the environment `names` without the library into `ret_names`, which has room
 * for probe_next_count(names) entries. The changed variable is in `text`, of
 * probe_next_preload_size(names) bytes; both must live until the program is executed.
 */
void probe_next_environment(char *const names[], char **ret_names, char *text);

#endif
