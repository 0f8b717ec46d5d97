/*
 * Files that are built into the program: pages, styles, scripts, and the libraries that
 * these use. `make` turns each into an array of its bytes (see the Makefile), so a page
 * needs no file at run time and asks no other server for anything.
 */
#ifndef PROBE_WEB_ASSETS_H
#define PROBE_WEB_ASSETS_H

#include <stddef.h>

#include "probe/http/reply.h"

struct asset {
    const char *path; /* "/page/live.js" */
    const char *type; /* REPLY_HTML and the like */
    const char *data;
    const size_t *bytes; /* the length is defined in the generated file */
};

/* Declares the symbols of an embedded file: of live.css, `live_css` and
 * `live_css_bytes`. */
#define ASSET_DECLARE(name)                                                            \
    extern const char name[];                                                          \
    extern const size_t name##_bytes

#define ASSET_CSS "text/css; charset=utf-8"
#define ASSET_IMAGE "image/svg+xml"
#define ASSET_SCRIPT "text/javascript; charset=utf-8"

/* Replies with the asset whose path was asked for, or with 404. */
void probe_asset_reply(const struct asset *assets, size_t count,
                       const struct request *request, struct reply *reply);

#endif
