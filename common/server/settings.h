/*
 * What main tells the server.
 */
#ifndef LAB_SERVER_SETTINGS_H
#define LAB_SERVER_SETTINGS_H

#include "options.h"

struct server_settings {
    const struct options *options;
    const char *upstream_url; /* where scenarios fetch; without a last slash */
    const char *directory;    /* for files of scenarios; writable */
};

#endif
