/*
 * The file of --at-exit.
 */
#ifndef PROBE_PRELOAD_EXIT_FILE_H
#define PROBE_PRELOAD_EXIT_FILE_H

#include <stdbool.h>
#include <sys/types.h>

/* Writes what is in use and what of it is lost to the file `pattern`, with the pid in
 * place of "%p", and says so, or why not, on standard error. Where it cannot be found
 * out what is lost, the file has only what is in use, and the line says the reason: so
 * it is where the probe stands `aside`, as the program may have forbidden the system
 * calls. The calling thread is inside the probe (inside.h). */
void probe_exit_file_write(const char *pattern, const char *name, pid_t pid,
                           bool aside);

#endif
