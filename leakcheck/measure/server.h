/*
 * A server that is judged: what it serves, and how to ask for it. What it holds is
 * known through HTTP and, with --pid, from /proc.
 */
#ifndef LEAKCHECK_MEASURE_SERVER_H
#define LEAKCHECK_MEASURE_SERVER_H

#include <stdbool.h>

#include "leakcheck/measure/http.h"
#include "leakcheck/measure/process.h"
#include "leakcheck/measure/profile.h"
#include "leakcheck/measure/replies.h"

/* Lives in memory that the caller owns. Used by one thread. */
struct server {
    struct http http;
    struct http_reply reply; /* the newest, kept for its memory */
    bool has_status;         /* it has a /status like the lab's */
    bool needs_status;       /* no verdict without /status: the lab's servers */
    bool has_process;        /* `process` is the one that serves: --pid */
    bool is_go;              /* its heap profile is Go's */
    bool threads_by_profile; /* nothing else counts them; in a Go program, goroutines */
    struct process process;
    char name[16];           /* who /status says it is; "" where it doesn't */
    int64_t pid_said;        /* the process that /status named; UNKNOWN: none */
    char status_reason[200]; /* why there is no /status, or no thread profile */
    char threads_reason[200];
    const char *heap_path;    /* the cheapest heap profile */
    const char *stacks_path;  /* the one with names, where there are two */
    const char *threads_path; /* NULL: it serves no thread profile */
    const char *growing;      /* the scenario whose threads allocate; NULL: none */
    /* Where the names of functions may come from besides the server: see names.h. */
    const char *binary;     /* the program's file, as the user named it; NULL: none */
    char executable[32];    /* --pid: "/proc/PID/exe", which `binary` may point to */
    char names_reason[200]; /* why no function could be named; "" where one was */
};

/* Connects and finds out what the server serves. Fails if there is no heap profile;
 * everything else is optional. The run ends at `deadline_ms` (clock_now_ms). */
int server_open(struct server *server, const char *url, int64_t deadline_ms,
                struct failure *failure);

/* Takes the counts from /proc/PID, if that is the process that serves, and the names of
 * functions from its program file, unless `binary` is set. */
int server_watch_process(struct server *server, int pid, struct failure *failure);

/* Takes a server that was opened, or is { 0 }. */
void server_close(struct server *server);

/* Fails also if the server needs_status and doesn't count all that can leak. */
int server_status(struct server *server, struct status *ret_status,
                  struct failure *failure);

/* `named`: with functions, files and lines. The profile is the caller's to release. */
int server_heap(struct server *server, bool named, struct profile *ret_profile,
                struct failure *failure);
int server_threads(struct server *server, struct profile *ret_profile,
                   struct failure *failure);

/* As server_threads, of a server that need not have a thread profile: false if there is
 * none. Once it fails it is not asked again, and threads_reason says why. */
bool server_threads_try(struct server *server, struct profile *ret_profile);

/* Says that another process answers than before. Returns -EPROTO. */
int server_restarted(const struct server *server, struct failure *failure);

/* The scenarios, in `arena`, with their suspects. */
int server_scenarios(struct server *server, struct arena *arena,
                     struct scenario_info **ret_scenarios, size_t *ret_count,
                     struct failure *failure);

#endif
