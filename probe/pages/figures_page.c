/*
 * The figures of a process without figures of its own: as JSON, and for Prometheus.
 */
#include "probe/http/form.h"
#include "probe/metrics/metric_text.h"
#include "probe/pages/metrics.h"
#include "probe/pages/pages.h"
#include "probe/pages/status.h"

void probe_page_status(const struct request *request, struct reply *reply)
{
    if (!probe_form_read_none(request, reply)) {
        return;
    }
    struct buffer text = {0};
    struct json_writer json;
    probe_json_begin(&json, &text);
    int error = probe_status_add(&json, request->site);
    if (error != 0) {
        buffer_release(&text);
        probe_reply_uncounted(reply, error);
        return;
    }
    probe_json_end(&json);
    probe_reply_buffer(reply, REPLY_JSON, &text);
}

void probe_page_metrics(const struct request *request, struct reply *reply)
{
    if (!probe_form_read_none(request, reply)) {
        return;
    }
    struct buffer text = {0};
    int error = probe_metrics_add(&text, request->site);
    if (error != 0) {
        buffer_release(&text);
        probe_reply_uncounted(reply, error);
        return;
    }
    probe_reply_buffer(reply, METRIC_TEXT_TYPE, &text);
}
