/*
 * The pages of the thread profile: as profile.proto, as Go's text, or one block for
 * each thread.
 */
#include <stdbool.h>

#include "probe/http/form.h"
#include "probe/locks/lock_text.h"
#include "probe/locks/lock_view.h"
#include "probe/pages/pages.h"
#include "probe/pages/profile_reply.h"
#include "probe/threads/thread_profile.h"
#include "probe/threads/threads.h"
#include "probe/threads/turn.h"

/* A fair lock: with many requests at once, none waits much longer than the others. */
static struct turn threads_turn = TURN_INITIALIZER;

static int read_threads(bool details, struct threads *ret_threads)
{
    probe_turn_wait(&threads_turn);
    int error = probe_threads_read(details, ret_threads);
    probe_turn_pass(&threads_turn);
    return error;
}

/* One block for each thread, and which lock it waits for. */
static int write_blocks(struct buffer *buffer)
{
    struct lock_view view = {0};
    const char *missing = probe_lock_view_missing();
    if (missing == NULL && probe_lock_view_take(&view) != 0) {
        view = (struct lock_view){0};
        missing = "memory or the system's answers were short at that moment";
    } else if (missing == NULL && (missing = probe_lock_view_missing()) != NULL) {
        probe_lock_view_release(&view);
    }
    if (missing != NULL) {
        buffer_printf(buffer, "# which locks they wait for is not known: %s\n\n",
                      missing);
    }
    int error = read_threads(true, &view.threads);
    error = error != 0 ? error : probe_lock_view_again(&view);
    if (error == 0) {
        const struct thread_remarks remarks = {probe_lock_text_remark, &view};
        error = probe_thread_profile_blocks(&view.threads, &remarks, buffer);
    }
    probe_lock_view_release(&view);
    return error;
}

/* Writes the profile in the form that `debug` selects; `type` names the values. */
static int write_threads(uint64_t debug, const char *type, struct buffer *buffer)
{
    if (debug == 2) {
        return write_blocks(buffer);
    }
    struct threads threads;
    int error = read_threads(false, &threads);
    if (error != 0) {
        return error;
    }
    error = debug == 0 ? probe_thread_profile_proto(&threads, type, buffer)
                       : probe_thread_profile_text(&threads, buffer);
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
