/*
 * The part of /status that every process with the probe has.
 */
#ifndef PROBE_PAGES_STATUS_H
#define PROBE_PAGES_STATUS_H

#include "probe/http/json_writer.h"
#include "probe/http/reply.h"

/* Adds name, version, pid, memory, threads, descriptors, timers, mappings and children
 * to `json`. A program adds its own figures itself. Returns 0; or -errno with nothing
 * added, if the process could not be counted. */
int probe_status_add(struct json_writer *json, const struct site *site);

/* Replies with these figures; `more` adds the program's own (NULL: it has none). In
 * figures_page.c. */
void probe_status_reply(const struct request *request, struct reply *reply,
                        void (*more)(struct json_writer *json,
                                     const struct request *request));

#endif
