/*
 * A reader asks for a report of two pages. A worker waits for the archive, which is
 * slow, and hands each page over. Here the archive has the second page only after the
 * reader has given up.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/channel.h"
#include "runtime/context.h"
#include "scenario.h"

#define REPORT_PATIENCE_MS 2
#define REPORT_PAGES 2
#define REPORT_HEAD_BYTES 256 /* of a report's bytes; the rest are its pages */

struct report {
    struct context reader;  /* ends when the reader gives up */
    struct channel archive; /* a signal: it has the next page; closed: it has all */
    struct channel pages;   /* of const char *, for the reader */
    size_t page_bytes;
    char text[];
};

_Static_assert(sizeof(struct report) <= REPORT_HEAD_BYTES, "the head has room");

static atomic_size_t reports_open;

/* NULL when memory is short. */
static struct report *report_open(const struct scenario_request *request)
{
    struct report *report = malloc(request->bytes);
    if (report == NULL) {
        return NULL;
    }
    report->page_bytes = (request->bytes - REPORT_HEAD_BYTES) / REPORT_PAGES;
    memset(report->text, ' ', REPORT_PAGES * report->page_bytes);
    snprintf(report->text, report->page_bytes, "%s", request->id);
    context_init(&report->reader, NULL);
    channel_init(&report->archive, NULL, 0, 0);
    channel_init(&report->pages, NULL, sizeof(char *), 0);
    atomic_fetch_add(&reports_open, 1);
    return report;
}

static void report_close(struct report *report)
{
    channel_finish(&report->pages);
    channel_finish(&report->archive);
    context_finish(&report->reader);
    free(report);
    atomic_fetch_sub(&reports_open, 1);
}

static void report_deliver(struct report *report, const char *page)
{
    /* FIX: the send also ends when the reader gives up. */
    channel_send(&report->pages, &page, &report->reader);
}

static void *report_main(void *argument)
{
    struct report *report = argument;
    pthread_setname_np(pthread_self(), "report");
    for (size_t i = 0; i < REPORT_PAGES; i++) {
        channel_receive(&report->archive, NULL, NULL);
        report_deliver(report, report->text + i * report->page_bytes);
    }
    return NULL;
}

/* Reads the first page, and waits for the second until the reader gives up. */
static void report_read(struct report *report, const struct scenario_request *request,
                        struct scenario_answer *answer)
{
    const char *page = NULL;
    channel_receive(&report->pages, &page, NULL);
    scenario_answer_set(answer, "%zu bytes, page 1 is %08x", request->bytes,
                        scenario_digest(page, report->page_bytes));
    struct context patience;
    context_init_timeout(&patience, request->context, REPORT_PATIENCE_MS);
    channel_receive(&report->pages, NULL, &patience);
    context_finish(&patience);
    context_cancel(&report->reader);
}

static int report_request(const struct scenario_request *request,
                          struct scenario_answer *answer)
{
    struct report *report = report_open(request);
    if (report == NULL) {
        return -ENOMEM;
    }
    pthread_t worker;
    int error = -pthread_create(&worker, NULL, report_main, report);
    if (error != 0) {
        report_close(report);
        return error;
    }
    channel_send(&report->archive, NULL, NULL);
    report_read(report, request, answer);
    /* The archive answers now: too late, since the reader has just given up. */
    channel_close(&report->archive);
    pthread_join(worker, NULL);
    report_close(report);
    return 0;
}

static size_t report_count(void)
{
    return atomic_load(&reports_open);
}

const struct scenario channel_no_receiver_scenario = {
    .name = "channel-no-receiver",
    .family = "stuck-threads",
    .title = "A send whose receiver has gone",
    .kind = SCENARIO_PERMANENT,
    .story = "A reader gets the first page of a report, waits two milliseconds for the "
             "second and gives up. The worker has it a little later and sends it.",
    .symptom =
        "Every report whose second page comes too late leaves a thread and the report "
        "behind. As long as the archive is fast, nothing leaks.",
    .cause =
        "The channel has no buffer, so a send waits for a receiver. The only receiver "
        "has left, and nothing else can end the send.",
    .fix =
        "Send with the reader's context: the send ends when the reader gives up. The "
        "thread is then joined and the report freed.",
    .find_it =
        "/debug/pprof/goroutine?debug=1 shows many threads in channel_send, called "
        "from report_deliver. The heap profile shows report_open.",
    .bytes_default = 64 * 1024,
    .bytes_min = 1024,
    .bytes_max = 256 * 1024 * 1024,
    .bytes_meaning = "a report",
    .leaves = {.blocks = 1, .threads = 1},
    .suspect = "report_open",
    .run = report_request,
    .held = report_count,
};
