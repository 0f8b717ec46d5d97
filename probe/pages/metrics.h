/*
 * The part of /metrics that every process with the probe has.
 */
#ifndef PROBE_PAGES_METRICS_H
#define PROBE_PAGES_METRICS_H

#include "base/buffer.h"
#include "probe/http/reply.h"

/* Adds the metrics process_* and leakprobe_* to `text`; see docs/monitoring.md. What
 * this build does not count is left out. A program adds its own metrics itself. Returns
 * 0; or -errno with nothing added, if the process could not be counted. */
int probe_metrics_add(struct buffer *text, const struct site *site);

/* Replies with these metrics; `more` adds the program's own (NULL: it has none). In
 * figures_page.c. */
void probe_metrics_reply(const struct request *request, struct reply *reply,
                         void (*more)(struct buffer *text,
                                      const struct request *request));

#endif
