/*
 * Writes metrics in Prometheus' text format, version 0.0.4:
 * https://prometheus.io/docs/instrumenting/exposition_formats/
 * A metric is begun once, with its help and type, and then has its samples.
 */
#ifndef PROBE_METRICS_METRIC_TEXT_H
#define PROBE_METRICS_METRIC_TEXT_H

#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"

#define METRIC_TEXT_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* A metric's name and type, "counter" or "gauge". The help is one line that names the
 * unit, and has no backslash in it. */
struct metric {
    const char *name;
    const char *type;
    const char *help;
};

struct metric_label {
    const char *name;
    const char *value; /* any text: what needs it is escaped, and a byte that is not
                          printable ASCII becomes '?' */
};

/* Begins a metric. */
void probe_metric_begin(struct buffer *text, const struct metric *metric);

/* Adds a sample with `count` labels to the metric that was begun last. */
void probe_metric_sample(struct buffer *text, const struct metric *metric,
                         const struct metric_label *labels, size_t count,
                         uint64_t value);

/* Writes a metric with one sample and no label: a whole number, or a time of `ns`
 * nanoseconds, which is written in seconds. */
void probe_metric_number(struct buffer *text, const struct metric *metric,
                         uint64_t value);
void probe_metric_time(struct buffer *text, const struct metric *metric, uint64_t ns);

/* The same for a gauge and a counter that need no `struct metric` of their own. */
void probe_metric_gauge(struct buffer *text, const char *name, const char *help,
                        uint64_t value);
void probe_metric_counter(struct buffer *text, const char *name, const char *help,
                          uint64_t value);

#endif
