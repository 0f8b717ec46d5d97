/*
 * A server that is measured: which paths it has, and how to fetch from them. Its
 * amounts come from HTTP and, with --pid, from /proc.
 */
#ifndef LEAKCHECK_MEASURE_SERVER_H
#define LEAKCHECK_MEASURE_SERVER_H

#include <stdbool.h>

#include "leakcheck/measure/http.h"
#include "leakcheck/measure/process.h"
#include "leakcheck/measure/profile.h"
#include "leakcheck/measure/replies.h"

/* Pages that only the servers of this project have, and programs under leakprobe: see
 * own_pages.h. */
enum own_page_name {
    OWN_RETAINED,
    OWN_FDS,
    OWN_THREADS,
    OWN_TIMERS,
    OWN_MAPPINGS,
    OWN_CHILDREN,
    OWN_STUCK,
    OWN_LOCKS,
    OWN_PAGES
};

/* What is known of one of them. */
struct own_page {
    bool refused;     /* it is not asked for again */
    bool absent;      /* the server has no such page */
    char reason[200]; /* why the last one was not there; "" if it was */
};

/* Lives in memory that the caller owns. Used by one thread. */
struct server {
    struct http http;
    struct http_reply reply; /* the last reply; its memory is used again */
    bool has_status;         /* it has a /status like the lab's */
    bool needs_status;       /* no verdict without /status: the lab's servers */
    bool needs_declared;     /* a call's reply must say what it leaves behind */
    bool has_process;        /* --pid was given: `process` is valid */
    bool is_go;              /* it is a Go program */
    bool threads_by_profile; /* threads are counted by the thread profile only; in Go:
                                goroutines */
    int64_t heap_step;       /* its heap profile is a profile.proto of samples: how far
                                one of them can move it, in bytes; otherwise 0 */
    struct process process;
    char name[16];           /* the name in /status; "" if there is none */
    int64_t pid_said;        /* the process id in /status; UNKNOWN: none */
    char status_reason[200]; /* why there is no /status, or no thread profile */
    char threads_reason[200];
    const char *heap_path;    /* path of the cheapest heap profile */
    const char *stacks_path;  /* path of the heap profile with names */
    const char *threads_path; /* NULL: there is no thread profile */
    struct own_page own_pages[OWN_PAGES];
    const char *growing; /* the scenario whose threads allocate; NULL: none */
    /* Other sources of function names than the server: see names.h. */
    const char *binary;     /* the program's file as given by the user; NULL: none */
    char executable[48];    /* --pid: "/proc/PID/task/TID/exe", which `binary` may
                               point to */
    char names_reason[200]; /* why no function could be named; "" if one could */
};

/* Connects and finds out which paths the server has. Fails if there is no heap profile;
 * everything else is optional. The run ends at `deadline_ms` (clock_now_ms). Returns 0;
 * the caller then calls server_close. Or returns -errno with everything freed. */
int server_open(struct server *server, const char *url, int64_t deadline_ms,
                struct failure *failure);

/* Checks that process `pid` is the one that serves. From then on counts come from
 * /proc/PID, and function names from its program file unless `binary` is set. Returns 0
 * or -errno. */
int server_watch_process(struct server *server, int pid, struct failure *failure);

/* Closes the connection and frees everything. The server was opened, or is { 0 }. */
void server_close(struct server *server);

/* Fetches /status. If needs_status is set, it is also a failure if a count is missing.
 * Returns 0 or -errno. */
int server_status(struct server *server, struct status *ret_status,
                  struct failure *failure);

/* Fetches the heap profile or the thread profile, which the caller releases. `named`:
 * with functions, files and lines. Returns 0 or -errno. */
int server_heap(struct server *server, bool named, struct profile *ret_profile,
                struct failure *failure);
int server_threads(struct server *server, struct profile *ret_profile,
                   struct failure *failure);

/* The same as server_threads, for a server that may have no thread profile. Returns
 * false if there is none. After a failure it is not asked again, and threads_reason
 * says why. */
bool server_threads_try(struct server *server, struct profile *ret_profile);

/* Writes that the server was restarted: another process answers now. Returns
 * -EPROTO. */
int server_restarted(const struct server *server, struct failure *failure);

/* Puts the URL and the path before a parser's reason; returns `error`. */
int server_refuse(const struct server *server, const char *path, int error,
                  struct failure *failure);

/* Fetches the list of scenarios, with their suspects; `arena` owns it. Returns 0 or
 * -errno. */
int server_scenarios(struct server *server, struct arena *arena,
                     struct scenario_info **ret_scenarios, size_t *ret_count,
                     struct failure *failure);

#endif
