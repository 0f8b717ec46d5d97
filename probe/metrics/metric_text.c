#include "probe/metrics/metric_text.h"

#include <inttypes.h>

#include "base/clock.h"

void probe_metric_begin(struct buffer *text, const struct metric *metric)
{
    const char *parts[] = {"# HELP ",    metric->name, " ",
                           metric->help, "\n# TYPE ",  metric->name,
                           " ",          metric->type, "\n"};
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        buffer_text(text, parts[i]);
    }
}

/* Appends the value of a label, without its quotes. */
static void put_escaped(struct buffer *text, const char *value)
{
    for (; *value != '\0'; value++) {
        if (*value == '\n') {
            buffer_text(text, "\\n");
        } else if (*value == '"' || *value == '\\') {
            char escaped[] = {'\\', *value};
            buffer_append(text, escaped, sizeof(escaped));
        } else {
            bool printable = *value >= ' ' && *value <= '~';
            buffer_append(text, printable ? value : "?", 1);
        }
    }
}

void probe_metric_sample(struct buffer *text, const struct metric *metric,
                         const struct metric_label *labels, size_t count,
                         uint64_t value)
{
    buffer_text(text, metric->name);
    for (size_t i = 0; i < count; i++) {
        buffer_text(text, i == 0 ? "{" : ",");
        buffer_text(text, labels[i].name);
        buffer_text(text, "=\"");
        put_escaped(text, labels[i].value);
        buffer_text(text, "\"");
    }
    buffer_text(text, count > 0 ? "} " : " ");
    buffer_number(text, value);
    buffer_text(text, "\n");
}

void probe_metric_number(struct buffer *text, const struct metric *metric,
                         uint64_t value)
{
    probe_metric_begin(text, metric);
    probe_metric_sample(text, metric, NULL, 0, value);
}

void probe_metric_time(struct buffer *text, const struct metric *metric, uint64_t ns)
{
    unsigned microseconds = (unsigned)(ns % CLOCK_NS_PER_SECOND / 1000);
    probe_metric_begin(text, metric);
    buffer_printf(text, "%s %" PRIu64 ".%06u\n", metric->name, ns / CLOCK_NS_PER_SECOND,
                  microseconds);
}

void probe_metric_gauge(struct buffer *text, const char *name, const char *help,
                        uint64_t value)
{
    struct metric metric = {name, "gauge", help};
    probe_metric_number(text, &metric, value);
}

void probe_metric_counter(struct buffer *text, const char *name, const char *help,
                          uint64_t value)
{
    struct metric metric = {name, "counter", help};
    probe_metric_number(text, &metric, value);
}
