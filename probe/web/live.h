/*
 * The live page: charts and flame graphs of this process, in a browser. Its files are
 * in files/, and need nothing but this server.
 */
#ifndef PROBE_WEB_LIVE_H
#define PROBE_WEB_LIVE_H

#include "probe/http/route.h"

page probe_page_live;       /* GET / */
page probe_page_live_files; /* GET /page/NAME */

/* Adds the header that protects a page to a reply that has its HTML already: the page
 * loads nothing from other servers, asks none but this one and the site's peer, and is
 * shown in no frame of another page. */
void probe_page_protect(struct reply *reply);

#endif
