/*
 * The pages that every process with the probe has. A page is a function from a request
 * to a reply; the list of their paths is in pages.c. To add a profile: write what it
 * measures in a directory of its subject, and its page in a file here. Declare the page
 * below, and add its path to the list and its entry to index_page.c.
 */
#ifndef PROBE_PAGES_PAGES_H
#define PROBE_PAGES_PAGES_H

#include "probe/http/route.h"

/* The route of a path, or NULL. */
const struct route *probe_pages_find(const char *path);

/* index_page.c: /debug/pprof/ */
page probe_page_index;

/* heap_page.c: */
page probe_page_heap;      /* /debug/pprof/heap */
page probe_page_allocs;    /* /debug/pprof/allocs */
page probe_page_heap_text; /* /pprof/heap: gperftools' own protocol */
page probe_page_heap_dump; /* /debug/heap/dump */

/* threads_page.c: the same profile under Go's name and ours. */
page probe_page_goroutine; /* /debug/pprof/goroutine */
page probe_page_threads;   /* /debug/pprof/threads */

/* symbol_page.c: */
page probe_page_symbol;  /* /debug/pprof/symbol */
page probe_page_cmdline; /* /debug/pprof/cmdline */

/* health_page.c: */
page probe_page_health; /* /healthz */

#endif
