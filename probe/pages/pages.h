/*
 * The pages of every process that has the probe. A page is a function from a request to
 * a reply; pages.c has the list of their paths. To add a profile: put what it measures
 * into a folder for its subject, and its page into a file here. Declare the page below,
 * and add its path to the list and its entry to index_page.c.
 */
#ifndef PROBE_PAGES_PAGES_H
#define PROBE_PAGES_PAGES_H

#include "probe/http/route.h"

/* The route of a path, or NULL. */
const struct route *probe_pages_find(const char *path);

/* The nearest of their paths, as route.h says. */
const char *probe_pages_nearest(const char *path, const char *nearest);

/* index_page.c. What `add` appends stands at the end of the page, as HTML. */
page probe_page_index;
void probe_page_index_extend(void (*add)(struct buffer *text));

/* heap_page.c */
page probe_page_heap;      /* /debug/pprof/heap */
page probe_page_allocs;    /* /debug/pprof/allocs */
page probe_page_heap_text; /* /pprof/heap: gperftools' own protocol */
page probe_page_heap_dump; /* /debug/heap/dump */

/* threads_page.c: one profile under two names, Go's and our own. */
page probe_page_goroutine; /* /debug/pprof/goroutine */
page probe_page_threads;   /* /debug/pprof/threads */

/* reach_page.c */
page probe_page_lost;     /* /debug/pprof/lost */
page probe_page_retained; /* /debug/pprof/retained */

/* resource_page.c */
page probe_page_fds;          /* /debug/pprof/fds */
page probe_page_threadcreate; /* /debug/pprof/threadcreate */
page probe_page_timers;       /* /debug/pprof/timers */
page probe_page_mmaps;        /* /debug/pprof/mmaps */
page probe_page_children;     /* /debug/pprof/children */

/* locks_page.c */
page probe_page_locks;         /* /debug/locks */
page probe_page_goroutineleak; /* /debug/pprof/goroutineleak */

/* trace_page.c */
page probe_page_trace; /* /debug/pprof/trace */

/* symbol_page.c */
page probe_page_symbol;  /* /debug/pprof/symbol */
page probe_page_cmdline; /* /debug/pprof/cmdline */

/* figures_page.c: what status.h and metrics.h write, and nothing else. A program with
 * figures of its own has its own pages for these paths. */
page probe_page_status;  /* /status */
page probe_page_metrics; /* /metrics */

/* health_page.c */
page probe_page_health; /* /healthz */

#endif
