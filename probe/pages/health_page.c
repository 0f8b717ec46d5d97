/*
 * /healthz: replies "ok" while the server can answer.
 */
#include "probe/http/form.h"
#include "probe/pages/pages.h"

void probe_page_health(const struct request *request, struct reply *reply)
{
    if (probe_form_read_none(request, reply)) {
        probe_reply_static(reply, REPLY_TEXT, "ok\n", 3);
    }
}
