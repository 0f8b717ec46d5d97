/*
 * The pages of the thread profile: as profile.proto, as Go's text, or one block for
 * each thread.
 */
#include "probe/http/form.h"
#include "probe/pages/pages.h"
#include "probe/pages/profile_reply.h"
#include "probe/threads/thread_profile.h"
#include "probe/threads/threads.h"
#include "probe/threads/turn.h"

/* A fair lock: with many requests at once, none waits much longer than the others. */
static struct turn threads_turn = TURN_INITIALIZER;

/* Writes the profile in the form that `debug` selects; `type` names the values. */
static int write_threads(uint64_t debug, const char *type, struct buffer *buffer)
{
    struct threads threads;
    probe_turn_wait(&threads_turn);
    int error = probe_threads_read(debug == 2, &threads);
    probe_turn_pass(&threads_turn);
    if (error != 0) {
        return error;
    }
    switch (debug) {
    case 0:
        error = probe_thread_profile_proto(&threads, type, buffer);
        break;
    case 1:
        error = probe_thread_profile_text(&threads, buffer);
        break;
    default:
        error = probe_thread_profile_blocks(&threads, buffer);
    }
    probe_threads_release(&threads);
    return error;
}

static void answer(const struct request *request, const char *type, struct reply *reply)
{
    struct parameter debug = {.name = "debug", .type = PARAMETER_NUMBER, .maximum = 2};
    if (!probe_form_read(request, &debug, 1, reply)) {
        return;
    }
    struct buffer buffer = {0};
    int error = write_threads(debug.number, type, &buffer);
    probe_profile_reply(reply, debug.number == 0 ? REPLY_BYTES : REPLY_TEXT, error,
                        &buffer);
}

void probe_page_goroutine(const struct request *request, struct reply *reply)
{
    answer(request, "goroutine", reply);
}

void probe_page_threads(const struct request *request, struct reply *reply)
{
    answer(request, "threads", reply);
}
