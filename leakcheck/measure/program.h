/*
 * A program that leakcheck starts under leakprobe, which gives it a debug port; see
 * leakprobe --help. leakprobe says on the standard error for which process a port is:
 * "leakprobe: NAME, pid 4242: http://127.0.0.1:6060/".
 */
#ifndef LEAKCHECK_MEASURE_PROGRAM_H
#define LEAKCHECK_MEASURE_PROGRAM_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "leakcheck/measure/caller.h"
#include "leakcheck/measure/child.h"
#include "leakcheck/measure/tail.h"

#define PROGRAM_PORTS_MAX 64 /* processes with a debug port; more are not looked at */

/* A process with a debug port, as leakprobe says. */
struct program_port {
    int pid;
    unsigned port;
};

/* Lives in memory that its owner keeps and does not move; { 0 } was never started. */
struct program {
    const char *command; /* as given by the user; NULL: never started */
    struct child child;
    int status;     /* as waitpid(2) gives it; valid after program_stop */
    bool by_itself; /* it ended before program_stop */
    int pid;        /* of the process that is judged; 0: not known yet */
    char url[40];   /* its debug port */
    pthread_t reader;
    int stop_fd;          /* tells the reader to end */
    pthread_mutex_t lock; /* for what the reader writes: */
    struct tail tail;     /* what it printed */
    struct tail line;     /* the last line so far */
    struct program_port ports[PROGRAM_PORTS_MAX];
    size_t port_count;
};

/* Starts `command`, a simple command of the shell, under the leakprobe that is beside
 * this program, or else in PATH. child_guard was called. Returns 0; program_stop is
 * then to be called. Or returns -errno. */
int program_start(struct program *program, const char *command,
                  struct failure *failure);

/* Waits until the program accepts connections for all URLs that are driven, and until
 * the debug port of the process that does so answers; without URLs: that of the program
 * itself, and until the command that drives it succeeds. Then `pid` and `url` are
 * valid. Gives up at `deadline_ms` (clock_now_ms), and earlier if the program takes too
 * long or ends. Returns 0 or -errno. */
int program_await(struct program *program, const struct call_settings *calls,
                  int64_t deadline_ms, struct failure *failure);

/* Checks that the calls still go to the process that is judged, and to no other one.
 * Returns 0 or -errno. */
int program_check(const struct program *program, const struct caller *caller,
                  struct failure *failure);

/* Replaces the failure, if the program has ended meanwhile, by that: it is the reason.
 */
void program_explain(struct program *program, struct failure *failure);

/* Ends the program and all that it has started. Does nothing for { 0 } or the second
 * time. */
void program_stop(struct program *program);

#endif
