/*
 * The pages of lost blocks and of who holds the others.
 */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "probe/heap/heap.h"
#include "probe/http/form.h"
#include "probe/pages/pages.h"
#include "probe/pages/profile_reply.h"
#include "probe/reach/reach_profile.h"
#include "probe/reach/reach_proto.h"
#include "probe/reach/reach_text.h"
#include "probe/recorder/recorder.h"

enum { DEBUG, SECONDS, LOST, REACH_PARAMETERS };

/* The second of two questions waits so long for its turn. */
#define TURN_LIMIT_MS 30000
#define TURN_LOOK_MS 20

/* What a page is made of. */
struct reach_page {
    const struct request *request;
    bool lost;       /* the page of lost blocks */
    bool with_lost;  /* in the profile of held ones */
    pid_t stubborn;  /* a thread that could not be stopped */
    int64_t took_ns; /* between two questions */
    struct reach_profile profile;
};

/* Whether blocks can be followed; if not, replies 501. */
static bool reach_is_there(struct reply *reply)
{
    const struct site_hints *hints = &reply->request->site->hints;
    switch (probe_recorder_mode()) {
    case RECORDER_EXACT:
        return true;
    case RECORDER_SAMPLED:
        probe_reply_error(reply, 501, "recorder_samples", hints->no_reach,
                          "the recorder samples: it does not know every block, so it "
                          "cannot say which ones are lost");
        break;
    case RECORDER_OFF:
        probe_reply_error(reply, 501, "recorder_off", hints->no_reach,
                          "%s: it does not know where the blocks are",
                          probe_heap_profiled() ? "gperftools records this heap"
                                                : "nothing records this heap");
        break;
    }
    return false;
}

static int ask(struct reach_page *asked, int sign)
{
    const struct site *site = asked->request->site;
    struct reach_question question = {.name_roots = probe_holders_name,
                                      .argument = &asked->profile.holders,
                                      .sleep = site->sleep,
                                      .owner = site->owner};
    struct reach reach;
    int error = probe_reach_ask(&question, &reach, &asked->stubborn);
    if (error == 0) {
        error = probe_reach_profile_add(&asked->profile, &reach, sign);
        probe_reach_release(&reach);
    }
    return error;
}

/* Asks again, and waits for its turn if somebody else is asking. */
static int ask_in_turn(struct reach_page *asked)
{
    const struct site *site = asked->request->site;
    int64_t end = clock_now_ns() + TURN_LIMIT_MS * CLOCK_NS_PER_MS;
    int error;
    while ((error = ask(asked, 1)) == -EBUSY && clock_now_ns() < end) {
        error = site->sleep(site->owner, TURN_LOOK_MS);
        if (error != 0) {
            return error;
        }
    }
    return error;
}

static int ask_twice(struct reach_page *asked, unsigned seconds)
{
    const struct site *site = asked->request->site;
    int64_t began = clock_now_ns();
    int error = ask(asked, -1);
    if (error == 0) {
        error = site->sleep(site->owner, seconds * 1000);
    }
    if (error == 0) {
        error = ask_in_turn(asked);
    }
    asked->took_ns = clock_now_ns() - began;
    return error;
}

static void refuse(const struct reach_page *asked, int error, struct reply *reply)
{
    switch (error) {
    case -EBUSY:
        probe_reply_error(reply, 409, "profile_busy",
                          "ask again when the other has ended",
                          "another profile of what is lost or retained is being taken");
        return;
    case -EDEADLK:
        probe_reply_error(reply, 503, "thread_not_stopped",
                          "ask again; the profile needs every thread to stop for a "
                          "moment",
                          "thread %d did not stop: it blocks all signals, or is in a "
                          "call of the kernel that cannot be interrupted",
                          (int)asked->stubborn);
        return;
    case -EAGAIN:
    case -ETIMEDOUT:
    case -ECHILD:
        probe_reply_error(reply, 503, "copy_failed", "ask again",
                          "the copy of the process did not get to its end: %s",
                          error == -EAGAIN      ? "the machine is too busy"
                          : error == -ETIMEDOUT ? "it took too long"
                                                : "it was ended");
        return;
    case -EUSERS:
        probe_reply_error(reply, 503, "copy_failed",
                          "see ulimit -u, and pids.max of its control group",
                          "the process cannot be copied: it may start no more "
                          "processes");
        return;
    case -ENOMEM:
        probe_reply_error(reply, 503, "copy_failed", asked->request->site->hints.memory,
                          "there is no memory for a copy of the process, or for what "
                          "is found in it");
        return;
    default:
        probe_profile_refuse(reply, error);
        return;
    }
}

static void answer_with(struct reach_page *asked, bool as_text, struct reply *reply)
{
    struct buffer buffer = {0};
    int error;
    if (as_text) {
        error = asked->lost ? probe_reach_lost_text(&asked->profile, &buffer)
                            : probe_reach_retained_text(&asked->profile, &buffer);
    } else if (asked->lost) {
        error = probe_reach_lost_proto(&asked->profile, asked->took_ns, &buffer);
    } else {
        error = probe_reach_retained_proto(&asked->profile, asked->with_lost,
                                           asked->took_ns, &buffer);
    }
    probe_profile_reply(reply, as_text ? REPLY_TEXT : REPLY_BYTES, error, &buffer);
}

static void answer(const struct request *request, bool lost, struct reply *reply)
{
    struct parameter parameters[REACH_PARAMETERS] = {
        [DEBUG] = {.name = "debug", .type = PARAMETER_NUMBER, .maximum = 1},
        [SECONDS] = {.name = "seconds",
                     .type = PARAMETER_NUMBER,
                     .minimum = 1,
                     .maximum = 60},
        [LOST] = {.name = "lost", .type = PARAMETER_NUMBER, .maximum = 1},
    };
    if (!probe_form_read(request, parameters, lost ? LOST : REACH_PARAMETERS, reply) ||
        !reach_is_there(reply)) {
        return;
    }
    bool as_text = parameters[DEBUG].number == 1;
    if (probe_profile_text_refused(reply, as_text, parameters[SECONDS].present)) {
        return;
    }
    struct reach_page asked = {
        .request = request, .lost = lost, .with_lost = parameters[LOST].number == 1};
    int error = parameters[SECONDS].present
                    ? ask_twice(&asked, (unsigned)parameters[SECONDS].number)
                    : ask(&asked, 1);
    if (error != 0) {
        refuse(&asked, error, reply);
    } else {
        answer_with(&asked, as_text, reply);
    }
    probe_reach_profile_release(&asked.profile);
}

void probe_page_lost(const struct request *request, struct reply *reply)
{
    answer(request, true, reply);
}

void probe_page_retained(const struct request *request, struct reply *reply)
{
    answer(request, false, reply);
}
