/*
 * Which page answers which path: the lab's pages and the probe's.
 */
#ifndef LAB_SERVER_ROUTES_H
#define LAB_SERVER_ROUTES_H

#include <stdbool.h>

#include "probe/http/route.h"

/* The route of a path; NULL if there is none on this port. Pages that run a scenario
 * are on the main port only. */
const struct route *routes_find(const char *path, bool debug_port);

/* Replies 404: there is no such route on this port. */
void routes_refuse(const struct request *request, bool debug_port, struct reply *reply);

#endif
