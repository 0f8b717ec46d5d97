/*
 * The pages of locks: who waits for which one, and the threads that never go on.
 */
#include <string.h>

#include "probe/http/form.h"
#include "probe/locks/lock_leak.h"
#include "probe/locks/lock_text.h"
#include "probe/locks/lock_view.h"
#include "probe/pages/lock_json.h"
#include "probe/pages/pages.h"
#include "probe/pages/profile_reply.h"
#include "probe/resources/resources.h"

/* The hint where the other resources are noted, but locks cannot be. */
#define NOT_HERE                                                                       \
    "that cannot be switched on in this program; "                                     \
    "/debug/pprof/goroutine?debug=2 says where its threads wait"

/* Looks at the locks, with the threads' stacks. `*ret_missing` says why that was not
 * possible, before or after it; then the view is empty. Returns 0 or -errno; then there
 * is nothing to release. */
static int look(struct lock_view *view, const char **ret_missing)
{
    *view = (struct lock_view){0};
    *ret_missing = probe_lock_view_missing();
    if (*ret_missing != NULL) {
        return 0;
    }
    int error = probe_lock_view_take(view);
    if (error == 0) {
        error = probe_lock_view_stacks(view);
        *ret_missing = probe_lock_view_missing();
        if (error != 0 || *ret_missing != NULL) {
            probe_lock_view_release(view);
        }
    }
    return error;
}

static void view_write(const struct lock_view *view, const char *missing, bool as_json,
                       struct buffer *buffer)
{
    if (as_json) {
        probe_lock_json_write(view, missing, buffer);
    } else if (missing != NULL) {
        buffer_printf(buffer, "who waits for which lock is not known: %s\n", missing);
    } else {
        probe_lock_text_write(view, buffer);
    }
}

void probe_page_locks(const struct request *request, struct reply *reply)
{
    struct parameter format = {.name = "format", .type = PARAMETER_TEXT};
    if (!probe_form_read(request, &format, 1, reply)) {
        return;
    }
    bool as_json = format.present && strcmp(format.text, "json") == 0;
    if (format.present && !as_json) {
        probe_reply_error(reply, 400, "bad_parameter", "use json, or leave format out",
                          "format is '%s'", format.text);
        return;
    }
    struct buffer buffer = {0};
    struct lock_view view;
    const char *missing;
    int error = look(&view, &missing);
    if (error == 0) {
        view_write(&view, missing, as_json, &buffer);
        probe_lock_view_release(&view);
    }
    probe_profile_reply(reply, as_json ? REPLY_JSON : REPLY_TEXT, error, &buffer);
}

void probe_page_goroutineleak(const struct request *request, struct reply *reply)
{
    struct parameter debug = {.name = "debug", .type = PARAMETER_NUMBER, .maximum = 1};
    if (!probe_form_read(request, &debug, 1, reply)) {
        return;
    }
    struct lock_view view;
    const char *missing;
    int error = look(&view, &missing);
    if (error == 0 && missing != NULL) {
        probe_reply_error(reply, 501, "locks_off",
                          probe_resources_on ? NOT_HERE
                                             : request->site->hints.no_resources,
                          "who waits for which lock is not known: %s", missing);
        return;
    }
    bool as_text = debug.number == 1;
    struct buffer buffer = {0};
    if (error == 0) {
        error = as_text ? probe_lock_leak_text(&view, &buffer)
                        : probe_lock_leak_proto(&view, &buffer);
        probe_lock_view_release(&view);
    }
    probe_profile_reply(reply, as_text ? REPLY_TEXT : REPLY_BYTES, error, &buffer);
}
