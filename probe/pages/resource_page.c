/*
 * The pages of what is open or alive, by who made it: one page under five names.
 */
#include <errno.h>

#include "base/clock.h"
#include "probe/http/form.h"
#include "probe/pages/pages.h"
#include "probe/pages/profile_reply.h"
#include "probe/resources/resource_list.h"

enum { DEBUG, OLDER, SECONDS, RESOURCE_PARAMETERS };

/* Lists what there is now, or what changed during `seconds`. */
static int list_take(const struct request *request,
                     const struct resource_subject *subject, unsigned seconds,
                     struct resource_list *list)
{
    const struct site *site = request->site;
    int error = 0;
    if (seconds > 0) {
        list->sign = -1;
        error = subject->list(list);
        error = error != 0 ? error : site->sleep(site->owner, seconds * 1000);
        list->sign = 1;
        probe_resource_list_reread(list);
    }
    return error != 0 ? error : subject->list(list);
}

static void answer(const struct request *request,
                   const struct resource_subject *subject, struct reply *reply)
{
    struct parameter parameters[RESOURCE_PARAMETERS] = {
        [DEBUG] = {.name = "debug", .type = PARAMETER_NUMBER, .maximum = 1},
        [OLDER] = {.name = "older", .type = PARAMETER_NUMBER, .maximum = 31536000},
        [SECONDS] = {.name = "seconds",
                     .type = PARAMETER_NUMBER,
                     .minimum = 1,
                     .maximum = 60},
    };
    if (!probe_form_read(request, parameters, RESOURCE_PARAMETERS, reply)) {
        return;
    }
    bool as_text = parameters[DEBUG].number == 1;
    unsigned seconds = (unsigned)parameters[SECONDS].number;
    if (!probe_resources_on) {
        probe_reply_error(reply, 501, "resources_off",
                          request->site->hints.no_resources,
                          "who made them is not noted in this process");
        return;
    }
    if (probe_profile_text_refused(reply, as_text, seconds > 0)) {
        return;
    }
    struct buffer buffer = {0};
    struct resource_list list = {
        .older_ns = (int64_t)parameters[OLDER].number * CLOCK_NS_PER_SECOND,
        .plain = !as_text,
    };
    int error = list_take(request, subject, seconds, &list);
    if (error == 0) {
        error = as_text
                    ? probe_resource_list_text(&list, subject, &buffer)
                    : probe_resource_list_proto(&list, subject,
                                                (int64_t)seconds * CLOCK_NS_PER_SECOND,
                                                &buffer);
    }
    probe_resource_list_release(&list);
    if (error == -ENOTSUP) {
        buffer_release(&buffer);
        probe_reply_error(reply, 501, "not_listed",
                          "another kernel may: see proc(5) for what it needs",
                          "this kernel does not list what the profile %s is about",
                          subject->name);
        return;
    }
    probe_profile_reply(reply, as_text ? REPLY_TEXT : REPLY_BYTES, error, &buffer);
}

void probe_page_fds(const struct request *request, struct reply *reply)
{
    answer(request, &probe_fds, reply);
}

void probe_page_threadcreate(const struct request *request, struct reply *reply)
{
    answer(request, &probe_threads_made, reply);
}

void probe_page_timers(const struct request *request, struct reply *reply)
{
    answer(request, &probe_timers, reply);
}

void probe_page_mmaps(const struct request *request, struct reply *reply)
{
    answer(request, &probe_mappings, reply);
}

void probe_page_children(const struct request *request, struct reply *reply)
{
    answer(request, &probe_children, reply);
}
