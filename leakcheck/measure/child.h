/*
 * Commands that leakcheck starts. Each runs in a process group of its own, without
 * input, with its output in a pipe; or in leakcheck's place, with its input and output.
 * Whatever happens to leakcheck, what it started ends with it: also after Ctrl-C, and
 * also what the command has put into the background.
 */
#ifndef LEAKCHECK_MEASURE_CHILD_H
#define LEAKCHECK_MEASURE_CHILD_H

#include <stdbool.h>

#include "base/failure.h"

/* Lives in memory that the caller owns; { 0 } was never started. */
struct child {
    int pid;      /* also the id of its process group; 0: not started */
    int output;   /* read end of its standard output and error; does not block; -1: it
                     has those of leakcheck */
    int ended_fd; /* readable when the process has ended; -1: cannot be watched */
    int status;   /* as waitpid(2) gives it; valid after child_finish */
};

/* Makes SIGINT, SIGTERM and SIGHUP end all children first, and then this process in the
 * usual way. Called once, before the first child and before other threads. Returns 0 or
 * -errno. */
int child_guard(struct failure *failure);

/* Starts a program: `arguments` ends with NULL, the first is a path. Its environment is
 * leakcheck's. Returns 0; the caller then calls child_finish. Or returns -errno. */
int child_start(struct child *child, const char *const *arguments,
                struct failure *failure);

/* The same, but in this process's own group, and with its input and output. What it
 * leaves running stays. */
int child_start_here(struct child *child, const char *const *arguments,
                     struct failure *failure);

/* Has this called when a signal ends this process, after the children have ended; NULL:
 * nothing. It must not start or finish a child. */
void child_on_interrupt(void (*act)(void));

/* Whether it has ended. Waits for that up to `patience_ms`. */
bool child_has_ended(const struct child *child, unsigned patience_ms);

/* Ends what is left of its process group (SIGKILL), takes its exit status and closes
 * the pipe. Does nothing for { 0 } or the second time. */
void child_finish(struct child *child);

/* Waits up to `patience_ms` until nothing runs that leakcheck has started, nor what
 * that has started. Returns whether it is so. */
bool child_all_have_ended(unsigned patience_ms);

/* Ends everything that leakcheck has started: SIGTERM, and after `patience_ms` SIGKILL.
 * Each child is still to be finished. */
void child_end_all(unsigned patience_ms);

/* "exit status 3" or "signal SIGSEGV", of `status`. */
struct child_end {
    char at[40];
};
struct child_end child_end_text(int status);

#endif
