/*
 * Opens both servers, checks that they are a pair, and judges each in its own thread.
 */
#include "leakcheck/judge/pair.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "base/clock.h"

/* The leaky server must be first, and the second must not be leaky too: its leaks would
 * look like a fix that fails. */
static int names_compare(const struct judgement *judgement, struct failure *failure)
{
    const char *first = judgement->sides[ROLE_LEAKY].server.name;
    const char *second = judgement->sides[ROLE_FIXED].server.name;
    if (strcmp(first, "fixed") == 0 && strcmp(second, "leaky") == 0) {
        return failure_set(failure, EINVAL,
                           "the first is the fixed server: swap them (LEAKY_URL "
                           "FIXED_URL)");
    }
    if (strcmp(first, "fixed") == 0 || strcmp(second, "leaky") == 0) {
        return failure_set(failure, EINVAL,
                           "both are the %s server: give LEAKY_URL and FIXED_URL",
                           strcmp(first, "fixed") == 0 ? first : second);
    }
    return 0;
}

/* Both servers must have the same scenarios in the same order. */
static int sides_compare(const struct judgement *judgement, struct failure *failure)
{
    const struct side *leaky = &judgement->sides[ROLE_LEAKY];
    const struct side *fixed = &judgement->sides[ROLE_FIXED];
    bool same = leaky->count == fixed->count;
    for (size_t i = 0; same && i < leaky->count; i++) {
        same = strcmp(leaky->list[i].name, fixed->list[i].name) == 0;
    }
    if (!same) {
        return failure_set(failure, EPROTO, "%s and %s do not offer the same scenarios",
                           leaky->server.http.base, fixed->server.http.base);
    }
    return 0;
}

/* Writes to the progress how many scenarios will be judged. */
static void plan_tell(const struct judgement *judgement)
{
    const struct side *side = &judgement->sides[ROLE_LEAKY];
    unsigned planned = 0;
    for (size_t i = 0; i < side->count; i++) {
        planned += side->chosen[i];
    }
    if (judgement->order.progress != NULL) {
        atomic_store(&judgement->order.progress->planned, planned);
    }
}

/* The argument of the thread that judges one side. */
struct part {
    struct side *side;
    atomic_bool *stop;
};

static void *part_main(void *argument)
{
    struct part *part = argument;
    side_judge(part->side, part->stop);
    return NULL;
}

static int parts_run(struct judgement *judgement, struct failure *failure)
{
    struct part parts[2];
    pthread_t threads[2];
    int started = 0;
    for (; started < 2; started++) {
        parts[started] = (struct part){&judgement->sides[started], &judgement->stop};
        if (pthread_create(&threads[started], NULL, part_main, &parts[started]) != 0) {
            atomic_store(&judgement->stop, true);
            break;
        }
    }
    for (int i = 0; i < started; i++) {
        pthread_join(threads[i], NULL);
    }
    if (started < 2) {
        return failure_set(failure, EAGAIN, "cannot start a thread");
    }
    for (int i = 0; i < 2; i++) {
        const struct side *side = &judgement->sides[i];
        if (side->error < 0 && side->error != -ECANCELED) {
            *failure = side->failure;
            return side->error;
        }
    }
    return 0;
}

int judge_run(struct judgement *judgement, const struct judge_order *order,
              struct failure *failure)
{
    int64_t start = clock_now_ms();
    int64_t deadline_ms = start + (int64_t)order->timeout_secs * 1000;
    *judgement = (struct judgement){.order = *order};
    int error = 0;
    for (int i = 0; i < 2 && error == 0; i++) {
        error = side_open(&judgement->sides[i], (enum role)i, &judgement->order,
                          deadline_ms, failure);
        /* The reports show this URL, which has no user and password. */
        judgement->order.urls[i] = judgement->sides[i].server.http.base;
    }
    if (error == 0) {
        error = names_compare(judgement, failure);
    }
    if (error == 0) {
        error = sides_compare(judgement, failure);
    }
    if (error == 0) {
        plan_tell(judgement);
        error = parts_run(judgement, failure);
    }
    judgement->elapsed_ms = clock_now_ms() - start;
    return error;
}

struct answers_finding judge_answers(const struct judgement *judgement, size_t index)
{
    const struct side *leaky = &judgement->sides[ROLE_LEAKY];
    const struct side *fixed = &judgement->sides[ROLE_FIXED];
    return answers_compare(&leaky->list[index], &leaky->answers[index],
                           &fixed->answers[index]);
}

struct judge_summary judge_summarize(const struct judgement *judgement)
{
    struct judge_summary summary = {0};
    const struct side *leaky = &judgement->sides[ROLE_LEAKY];
    const struct side *fixed = &judgement->sides[ROLE_FIXED];
    for (size_t i = 0; i < leaky->count; i++) {
        if (leaky->chosen[i]) {
            summary.judged++;
            summary.shown += leaky->findings[i].good;
            const struct finding *fix = &fixed->findings[i];
            summary.holding += fix->good;
            summary.unmeasured += fix->unmeasured;
            summary.alarms += !fix->good && !fix->unmeasured;
            summary.answers[judge_answers(judgement, i).result]++;
        }
    }
    summary.bad = summary.shown < summary.judged || summary.alarms > 0 ||
                  summary.answers[ANSWERS_WRONG] > 0;
    summary.good = !summary.bad && summary.unmeasured == 0;
    return summary;
}

void judge_release(struct judgement *judgement)
{
    for (int i = 0; i < 2; i++) {
        side_release(&judgement->sides[i]);
    }
}
