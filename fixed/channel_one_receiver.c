/*
 * A broker asks ten markets for a price at the same time, each through a worker that
 * sends its quote on one channel. The broker buys at the first quote that arrives.
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

#define QUOTE_MARKETS 10
#define QUOTE_HEAD_BYTES 64 /* of a quote's bytes; the rest are its sheet */

/* What the workers of one request share. */
struct quote_inquiry {
    struct channel quotes;  /* of struct quote * */
    struct context context; /* ends the inquiry */
};

struct quote {
    struct quote_inquiry *inquiry;
    pthread_t worker;
    size_t sheet_bytes;
    char sheet[];
};

_Static_assert(sizeof(struct quote) <= QUOTE_HEAD_BYTES, "the head has room");

static atomic_size_t quotes_open;

/* NULL when memory is short. */
static struct quote_inquiry *quote_inquiry_open(struct context *parent)
{
    struct quote_inquiry *inquiry = malloc(sizeof(*inquiry));
    if (inquiry != NULL) {
        channel_init(&inquiry->quotes, NULL, sizeof(struct quote *), 0);
        context_init(&inquiry->context, parent);
    }
    return inquiry;
}

static void quote_inquiry_close(struct quote_inquiry *inquiry)
{
    context_finish(&inquiry->context);
    channel_finish(&inquiry->quotes);
    free(inquiry);
}

static void *quote_send(void *argument)
{
    struct quote *quote = argument;
    pthread_setname_np(pthread_self(), "quote");
    channel_send(&quote->inquiry->quotes, &quote, &quote->inquiry->context);
    return NULL;
}

/* Starts a worker that asks one market. Returns 0 or -errno. */
static int quote_open(struct quote_inquiry *inquiry,
                      const struct scenario_request *request, struct quote **ret_quote)
{
    struct quote *quote = malloc(request->bytes);
    if (quote == NULL) {
        return -ENOMEM;
    }
    quote->sheet_bytes = request->bytes - QUOTE_HEAD_BYTES;
    memset(quote->sheet, ' ', quote->sheet_bytes);
    snprintf(quote->sheet, quote->sheet_bytes, "%s", request->id);
    quote->inquiry = inquiry;
    int error = -pthread_create(&quote->worker, NULL, quote_send, quote);
    if (error != 0) {
        free(quote);
        return error;
    }
    atomic_fetch_add(&quotes_open, 1);
    *ret_quote = quote;
    return 0;
}

/* Joins the worker: its quote has been received, or the inquiry cancelled. */
static void quote_close(struct quote *quote)
{
    pthread_join(quote->worker, NULL);
    free(quote);
    atomic_fetch_sub(&quotes_open, 1);
}

static int quote_ask(const struct scenario_request *request,
                     struct scenario_answer *answer)
{
    struct quote_inquiry *inquiry = quote_inquiry_open(request->context);
    if (inquiry == NULL) {
        return -ENOMEM;
    }
    struct quote *quotes[QUOTE_MARKETS];
    int error = 0;
    size_t count = 0;
    while (count < QUOTE_MARKETS && error == 0) {
        error = quote_open(inquiry, request, &quotes[count]);
        if (error == 0) {
            count++;
        }
    }

    struct quote *quote = NULL;
    if (error == 0) {
        error = channel_receive(&inquiry->quotes, &quote, request->context);
    }
    if (error == 0) {
        scenario_answer_set(answer, "first of %zu quotes is %08x", count,
                            scenario_digest(quote->sheet, quote->sheet_bytes));
    }
    /* FIX: the broker stays until every market's quote has been received. */
    for (size_t i = 1; i < count && error == 0; i++) {
        error = channel_receive(&inquiry->quotes, &quote, request->context);
    }
    context_cancel(&inquiry->context);
    for (size_t i = 0; i < count; i++) {
        quote_close(quotes[i]);
    }
    quote_inquiry_close(inquiry);
    return error;
}

static size_t quote_count(void)
{
    return atomic_load(&quotes_open);
}

const struct scenario channel_one_receiver_scenario = {
    .name = "channel-one-receiver",
    .family = "stuck-threads",
    .title = "Ten senders, and one value is received",
    .kind = SCENARIO_PERMANENT,
    .story =
        "A broker asks ten markets at the same time and takes the first quote that "
        "comes.",
    .symptom =
        "Every request is answered as fast as the fastest market, and leaves nine "
        "threads with their quotes behind.",
    .cause =
        "The channel has no buffer, so every sender waits for a receiver of its own. "
        "The broker receives once and leaves; nine senders wait for ever.",
    .fix = "Receive what all ten send, then join them and free their quotes. A channel "
           "with a buffer for ten works, too.",
    .find_it = "/debug/pprof/goroutine?debug=1 shows nine threads per request in "
               "channel_send, called from quote_send. The heap profile shows "
               "quote_open.",
    .bytes_default = 4096,
    .bytes_min = 256,
    .bytes_max = 16 * 1024 * 1024,
    .bytes_meaning = "a quote",
    .leaves = {.blocks = QUOTE_MARKETS - 1, .threads = QUOTE_MARKETS - 1},
    .working_threads = 1,
    .suspect = "quote_open",
    .run = quote_ask,
    .held = quote_count,
};
