/*
 * The figures of a process, as JSON and for Prometheus; and the pages of a process that
 * has no figures of its own to add.
 */
#include "probe/http/form.h"
#include "probe/metrics/metric_text.h"
#include "probe/pages/metrics.h"
#include "probe/pages/pages.h"
#include "probe/pages/status.h"

void probe_status_reply(const struct request *request, struct reply *reply,
                        void (*more)(struct json_writer *json,
                                     const struct request *request))
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
    if (more != NULL) {
        more(&json, request);
    }
    probe_json_end(&json);
    probe_reply_buffer(reply, REPLY_JSON, &text);
}

void probe_metrics_reply(const struct request *request, struct reply *reply,
                         void (*more)(struct buffer *text,
                                      const struct request *request))
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
    if (more != NULL) {
        more(&text, request);
    }
    probe_reply_buffer(reply, METRIC_TEXT_TYPE, &text);
}

void probe_page_status(const struct request *request, struct reply *reply)
{
    probe_status_reply(request, reply, NULL);
}

void probe_page_metrics(const struct request *request, struct reply *reply)
{
    probe_metrics_reply(request, reply, NULL);
}
