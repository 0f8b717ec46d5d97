/*
 * The pages of the heap profile: in Go's formats, in gperftools' own, and the dump to a
 * file.
 */
#include <errno.h>
#include <string.h>

#include "probe/heap/heap.h"
#include "probe/heap/heap_difference.h"
#include "probe/http/form.h"
#include "probe/http/json_writer.h"
#include "probe/pages/pages.h"
#include "probe/pages/profile_reply.h"

enum { DEBUG, SECONDS, GC, HEAP_PARAMETERS };

/* Whether there is a heap profile; if not, replies 501. */
static bool profile_is_there(struct reply *reply)
{
    if (probe_heap_profiled()) {
        return true;
    }
    const struct site_hints *hints = &reply->request->site->hints;
    probe_reply_error(reply, 501, "profile_off",
                      probe_heap_can_profile() ? hints->no_profile : hints->no_build,
                      "this process records no heap profile");
    return false;
}

/* The wait between the two snapshots of a difference. */
struct pause {
    const struct site *site;
    unsigned ms;
};

static int pause_wait(void *argument)
{
    const struct pause *pause = argument;
    return pause->site->sleep(pause->site->owner, pause->ms);
}

static void answer_difference(const struct request *request, unsigned seconds,
                              enum heap_view view, struct reply *reply)
{
    struct buffer buffer = {0};
    struct pause pause = {request->site, seconds * 1000};
    int error = probe_heap_difference(pause_wait, &pause, view, &buffer);
    if (error == -EBUSY) {
        probe_reply_error(reply, 409, "profile_busy",
                          "ask again when the other has ended",
                          "another heap profile with seconds= is being taken");
        return;
    }
    probe_profile_reply(reply, REPLY_BYTES, error, &buffer);
}

static void answer_snapshot(bool as_text, enum heap_view view, struct reply *reply)
{
    struct heap_snapshot snapshot = {0};
    struct buffer buffer = {0};
    int error =
        probe_heap_snapshot(as_text ? HEAP_VALUES_RAW : HEAP_VALUES_SCALED, &snapshot);
    if (error == 0 && as_text) {
        error = probe_heap_snapshot_comments(&snapshot, &buffer);
    } else if (error == 0) {
        error = probe_heap_snapshot_proto(&snapshot, view, &buffer);
    }
    probe_heap_snapshot_release(&snapshot);
    probe_profile_reply(reply, as_text ? REPLY_TEXT : REPLY_BYTES, error, &buffer);
}

/* /debug/pprof/heap and /debug/pprof/allocs: Go's parameters. */
static void answer_heap(const struct request *request, enum heap_view view,
                        struct reply *reply)
{
    struct parameter parameters[HEAP_PARAMETERS] = {
        [DEBUG] = {.name = "debug", .type = PARAMETER_NUMBER, .maximum = 1},
        [SECONDS] = {.name = "seconds",
                     .type = PARAMETER_NUMBER,
                     .minimum = 1,
                     .maximum = 60},
        [GC] = {.name = "gc", .type = PARAMETER_NUMBER, .maximum = 1},
    };
    if (!probe_form_read(request, parameters, HEAP_PARAMETERS, reply) ||
        !profile_is_there(reply)) {
        return;
    }
    bool as_text = parameters[DEBUG].number == 1;
    if (probe_profile_text_refused(reply, as_text, parameters[SECONDS].present)) {
        return;
    }
    if (parameters[GC].number == 1) {
        probe_heap_release_free();
    }
    if (parameters[SECONDS].present) {
        answer_difference(request, (unsigned)parameters[SECONDS].number, view, reply);
    } else {
        answer_snapshot(as_text, view, reply);
    }
}

void probe_page_heap(const struct request *request, struct reply *reply)
{
    answer_heap(request, HEAP_VIEW_INUSE, reply);
}

void probe_page_allocs(const struct request *request, struct reply *reply)
{
    answer_heap(request, HEAP_VIEW_ALLOCS, reply);
}

void probe_page_heap_text(const struct request *request, struct reply *reply)
{
    if (!probe_form_read_none(request, reply) || !profile_is_there(reply)) {
        return;
    }
    struct heap_snapshot snapshot = {0};
    struct buffer buffer = {0};
    int error = probe_heap_snapshot(HEAP_VALUES_RAW, &snapshot);
    if (error == 0) {
        error = probe_heap_snapshot_text(&snapshot, &buffer);
    }
    probe_heap_snapshot_release(&snapshot);
    probe_profile_reply(reply, REPLY_TEXT, error, &buffer);
}

/* `reason` is a free note of the client: it is checked, and then ignored. */
void probe_page_heap_dump(const struct request *request, struct reply *reply)
{
    struct parameter reason = {.name = "reason", .type = PARAMETER_TEXT};
    if (!probe_form_read(request, &reason, 1, reply) || !profile_is_there(reply)) {
        return;
    }
    const struct site *site = request->site;
    if (site->dump_directory == NULL) {
        probe_reply_error(reply, 501, "no_dumps", site->hints.dump,
                          "this process writes no files");
        return;
    }
    char path[1100];
    uint64_t in_use_bytes = 0;
    int error = probe_heap_dump(site->dump_directory, site->name, path, sizeof(path),
                                &in_use_bytes);
    if (error == -ENOMEM || error == -ENOBUFS) {
        probe_profile_refuse(reply, error);
        return;
    }
    if (error != 0) {
        probe_reply_error(reply, 500, "dump_failed", site->hints.dump,
                          "the dump could not be written into '%.300s': %s",
                          site->dump_directory, strerror(-error));
        return;
    }
    struct buffer text = {0};
    struct json_writer json;
    probe_json_begin(&json, &text);
    probe_json_text(&json, "path", path);
    probe_json_number(&json, "in_use_bytes", in_use_bytes);
    probe_json_end(&json);
    probe_reply_buffer(reply, REPLY_JSON, &text);
}
