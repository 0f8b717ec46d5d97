/*
 * A news desk watches a feed for a reader. A worker shows the reader the latest news.
 * Then it wakes ten times a second and keeps what is new, until the reader has gone.
 * The reader stays only for a moment.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/channel.h"
#include "runtime/context.h"
#include "scenario.h"

#define FEED_PERIOD_MS 100
#define FEED_READER_MS 20
#define FEED_HEAD_BYTES 16 /* of a poll's bytes; the rest is text */

/* The news of one poll. In the list, the newest comes first. */
struct feed_news {
    struct feed_news *next;
    size_t text_bytes;
    char text[];
};

_Static_assert(sizeof(struct feed_news) <= FEED_HEAD_BYTES, "the head has room");

struct feed {
    size_t news_bytes;      /* of one struct feed_news */
    uint32_t topic;         /* stands for what the reader asked for */
    struct context *reader; /* ends when the reader has gone */
    struct channel *shown;  /* of uint32_t: the digest of what the reader was shown */
};

static atomic_size_t feeds_watched;

/* Puts the latest news before `older`; skips it when memory is short. */
static struct feed_news *feed_poll(const struct feed *feed, struct feed_news *older)
{
    if (!scenario_growth_enter(feed->news_bytes)) {
        return older;
    }
    struct feed_news *news = malloc(feed->news_bytes);
    scenario_growth_leave(feed->news_bytes);
    if (news == NULL) {
        return older;
    }
    news->next = older;
    news->text_bytes = feed->news_bytes - FEED_HEAD_BYTES;
    memset(news->text, ' ', news->text_bytes);
    snprintf(news->text, news->text_bytes, "news of %08x", feed->topic);
    return news;
}

static void feed_forget(struct feed_news *news)
{
    while (news != NULL) {
        struct feed_news *next = news->next;
        free(news);
        news = next;
    }
}

/* Shows the reader the latest news. Returns false when memory is short. */
static bool feed_show(const struct feed *feed)
{
    struct feed_news *news = feed_poll(feed, NULL);
    if (news == NULL) {
        channel_close(feed->shown);
        return false;
    }
    uint32_t digest = scenario_digest(news->text, news->text_bytes);
    feed_forget(news);
    channel_send(feed->shown, &digest, NULL);
    return true;
}

static void *feed_main(void *argument)
{
    /* A copy, because the original is gone when the request ends. */
    struct feed feed = *(struct feed *)argument;
    struct feed_news *news = NULL;
    pthread_setname_np(pthread_self(), "feed");
    atomic_fetch_add(&feeds_watched, 1);
    bool shown = feed_show(&feed);
    /* FIX: the sleep, and the loop with it, ends as soon as the reader has gone. */
    while (shown && context_sleep(feed.reader, FEED_PERIOD_MS) == 0) {
        news = feed_poll(&feed, news);
    }
    feed_forget(news);
    atomic_fetch_sub(&feeds_watched, 1);
    return NULL;
}

static int feed_watch(const struct scenario_request *request,
                      struct scenario_answer *answer)
{
    struct context reader;
    context_init_timeout(&reader, request->context, FEED_READER_MS);
    struct channel shown;
    channel_init(&shown, NULL, sizeof(uint32_t), 0);
    struct feed feed = {.news_bytes = request->bytes,
                        .topic = scenario_digest(request->id, strlen(request->id)),
                        .reader = &reader,
                        .shown = &shown};
    pthread_t worker;
    int error = -pthread_create(&worker, NULL, feed_main, &feed);
    if (error == 0) {
        uint32_t digest = 0;
        error = channel_receive(&shown, &digest, NULL) == 0 ? 0 : -ENOMEM;
        if (error == 0) {
            scenario_answer_set(answer, "%zu bytes of news, %08x", request->bytes,
                                digest);
        }
        pthread_join(worker, NULL);
    }
    channel_finish(&shown);
    context_finish(&reader);
    return error;
}

static size_t feed_count(void)
{
    return atomic_load(&feeds_watched);
}

const struct scenario thread_loop_scenario = {
    .name = "thread-loop",
    .family = "stuck-threads",
    .title = "A worker that has no way to end",
    .kind = SCENARIO_PERMANENT,
    .story = "A request starts a worker that polls a feed every 100 ms and keeps the "
             "news for the reader.",
    .symptom =
        "Every request leaves a thread behind. In-use heap climbs even when no more "
        "requests come.",
    .cause =
        "The worker's loop sleeps and polls and checks nothing else. The request ends, "
        "but the worker does not, and it keeps all the news.",
    .fix = "The sleep watches the request's context. When its deadline passes the loop "
           "ends, the news is freed and the thread is joined.",
    .find_it =
        "/debug/pprof/goroutine?debug=1 counts many equal stacks in feed_main. Two "
        "heap profiles taken some seconds apart show feed_poll growing.",
    .bytes_default = 1024,
    .bytes_min = 64,
    .bytes_max = 1024 * 1024,
    .bytes_meaning = "the news of one poll",
    .leaves = {.threads = 1},
    .growth_blocks = 1000 / FEED_PERIOD_MS,
    .suspect = "feed_poll",
    .run = feed_watch,
    .held = feed_count,
};
