/*
 * A news desk watches a feed for a reader. A worker shows the reader a headline. Then
 * it wakes ten times a second and keeps what is new, until the reader has gone. The
 * reader stays only for a moment.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/channel.h"
#include "runtime/context.h"
#include "scenario.h"

#define FEED_PERIOD_MS 100
#define FEED_READER_MS 20
#define FEED_HEADLINE_BYTES 48 /* there is room for it in the smallest poll */

/* The news of one poll: a headline, and blanks. In the list, the newest comes first. */
struct feed_news {
    struct feed_news *next;
    char text[];
};

struct feed {
    size_t news_bytes;      /* of one struct feed_news */
    uint32_t topic;         /* stands for what the reader asked for */
    struct context *reader; /* ends when the reader has gone */
    struct channel *shown;  /* of a headline: what the reader sees first */
};

static atomic_size_t feeds_watched;

static void feed_write(const struct feed *feed, char headline[FEED_HEADLINE_BYTES])
{
    snprintf(headline, FEED_HEADLINE_BYTES, "%zu bytes about %08x", feed->news_bytes,
             feed->topic);
}

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
    memset(news->text, ' ', feed->news_bytes - sizeof(*news));
    feed_write(feed, news->text);
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

static void *feed_main(void *argument)
{
    /* A copy, because the original is gone when the request ends. */
    struct feed feed = *(struct feed *)argument;
    struct feed_news *news = NULL;
    pthread_setname_np(pthread_self(), "feed");
    atomic_fetch_add(&feeds_watched, 1);
    char headline[FEED_HEADLINE_BYTES] = "";
    feed_write(&feed, headline);
    channel_send(feed.shown, headline, NULL);
    /* LEAK: the sleep has no context, so nothing ever ends this loop. */
    while (context_sleep(NULL, FEED_PERIOD_MS) == 0) {
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
    channel_init(&shown, NULL, FEED_HEADLINE_BYTES, 0);
    struct feed feed = {.news_bytes = request->bytes,
                        .topic = scenario_digest(request->id, strlen(request->id)),
                        .reader = &reader,
                        .shown = &shown};
    pthread_t worker;
    int error = -pthread_create(&worker, NULL, feed_main, &feed);
    if (error == 0) {
        char headline[FEED_HEADLINE_BYTES] = "";
        channel_receive(&shown, headline, NULL);
        scenario_answer_set(answer, "%s", headline);
        pthread_detach(worker);
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
