/*
 * What main passes to the server. All texts stay main's.
 */
#ifndef LAB_SERVER_SETTINGS_H
#define LAB_SERVER_SETTINGS_H

#include "options.h"

struct server_settings {
    const struct options *options;
    const char *upstream_url; /* where scenarios send HTTP requests; without a last
                                 slash */
    const char *directory;    /* writable, for the files of scenarios */
};

#endif
