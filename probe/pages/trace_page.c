/*
 * The page of the timeline. It is no profile.proto: trace viewers read it.
 */
#include <errno.h>

#include "probe/http/form.h"
#include "probe/pages/pages.h"
#include "probe/pages/profile_reply.h"
#include "probe/trace/trace.h"

static int wait_ms(void *argument, unsigned ms)
{
    const struct site *site = argument;
    return site->sleep(site->owner, ms);
}

void probe_page_trace(const struct request *request, struct reply *reply)
{
    struct parameter seconds = {
        .name = "seconds", .type = PARAMETER_NUMBER, .minimum = 1, .maximum = 60};
    if (!probe_form_read(request, &seconds, 1, reply)) {
        return;
    }
    struct buffer buffer = {0};
    unsigned length = seconds.present ? (unsigned)seconds.number : 1;
    int error = probe_trace_take(length, request->site->name, wait_ms,
                                 (void *)request->site, &buffer);
    if (error == -EBUSY) {
        probe_reply_error(reply, 409, "profile_busy",
                          "ask again when the other has ended",
                          "another trace is being taken");
        return;
    }
    probe_profile_reply(reply, REPLY_JSON, error, &buffer);
    if (reply->status == 200) {
        probe_reply_header(reply, "Content-Disposition",
                           "attachment; filename=\"%s.trace.json\"",
                           request->site->name);
    }
}
