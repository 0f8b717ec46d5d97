/*
 * A relay forwards a packet. One worker sends it through a channel, the line, and
 * another worker receives it. Each has memory for one packet.
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

#define RELAY_HEAD_BYTES 256 /* of a relay's bytes; the rest are its packet */

struct relay {
    struct channel *line;   /* of const char *, a packet; the sender closes it */
    struct context context; /* ends the waits on the line */
    pthread_t worker;
    atomic_bool has_received;
    size_t packet_bytes;
    char packet[];
};

_Static_assert(sizeof(struct relay) <= RELAY_HEAD_BYTES, "the head has room");

static atomic_size_t relays_open;

/* One end of the line, with `text` in its packet; "": with nothing but zero bytes.
 * NULL when memory is short. */
static struct relay *relay_open(const struct scenario_request *request,
                                const char *text, struct channel *line,
                                struct context *parent)
{
    struct relay *relay = malloc(request->bytes);
    if (relay == NULL) {
        return NULL;
    }
    atomic_init(&relay->has_received, false);
    relay->packet_bytes = request->bytes - RELAY_HEAD_BYTES;
    memset(relay->packet, text[0], relay->packet_bytes);
    snprintf(relay->packet, relay->packet_bytes, "%s", text);
    relay->line = line;
    context_init(&relay->context, parent);
    atomic_fetch_add(&relays_open, 1);
    return relay;
}

/* Takes NULL. */
static void relay_close(struct relay *relay)
{
    if (relay != NULL) {
        context_finish(&relay->context);
        free(relay);
        atomic_fetch_sub(&relays_open, 1);
    }
}

static void *relay_send(void *argument)
{
    struct relay *relay = argument;
    const char *packet = relay->packet;
    pthread_setname_np(pthread_self(), "relay-send");
    if (channel_send(relay->line, &packet, &relay->context) == 0) {
        channel_close(relay->line);
    }
    return NULL;
}

static void *relay_receive(void *argument)
{
    struct relay *relay = argument;
    const char *packet = NULL;
    pthread_setname_np(pthread_self(), "relay-receive");
    while (channel_receive(relay->line, &packet, &relay->context) == 0) {
        memcpy(relay->packet, packet, relay->packet_bytes);
        atomic_store(&relay->has_received, true);
    }
    return NULL;
}

/* Starts both workers or none. Returns 0 or -errno. */
static int relay_start(struct relay *sender, struct relay *receiver)
{
    int error = -pthread_create(&sender->worker, NULL, relay_send, sender);
    if (error != 0) {
        return error;
    }
    error = -pthread_create(&receiver->worker, NULL, relay_receive, receiver);
    if (error != 0) {
        context_cancel(&sender->context);
        pthread_join(sender->worker, NULL);
    }
    return error;
}

/* Tells what the receiver has got; nothing, if that is nothing. */
static void relay_report(struct relay *receiver, struct scenario_answer *answer)
{
    if (atomic_load(&receiver->has_received)) {
        scenario_answer_set(answer, "packet of %zu bytes, %08x", receiver->packet_bytes,
                            scenario_digest(receiver->packet, receiver->packet_bytes));
    }
}

static int relay_pass(const struct scenario_request *request,
                      struct scenario_answer *answer)
{
    /* FIX: the line is made before the workers use it. */
    struct channel made;
    struct channel *line = &made;
    channel_init(line, NULL, sizeof(char *), 0);
    struct relay *sender = relay_open(request, request->id, line, request->context);
    struct relay *receiver = relay_open(request, "", line, request->context);
    int error = -ENOMEM;
    if (sender != NULL && receiver != NULL) {
        error = relay_start(sender, receiver);
    }
    if (error == 0) {
        pthread_join(sender->worker, NULL);
        pthread_join(receiver->worker, NULL);
        relay_report(receiver, answer);
    }
    relay_close(receiver);
    relay_close(sender);
    channel_finish(line);
    return error;
}

static size_t relay_count(void)
{
    return atomic_load(&relays_open);
}

const struct scenario channel_nil_scenario = {
    .name = "channel-nil",
    .family = "stuck-threads",
    .title = "A channel that was never made",
    .kind = SCENARIO_PERMANENT,
    .story = "A relay has two workers: one sends a packet through a channel, the other "
             "receives it.",
    .symptom = "Every request leaves two threads behind: a sender, and the receiver "
               "that should get its packet.",
    .cause =
        "The pointer to the channel is NULL: it was declared and never set. A send or "
        "a receive on such a channel waits for ever, as in Go.",
    .fix =
        "Make the channel before the workers start, and let the sender close it after "
        "the packet; then both end and are joined.",
    .find_it =
        "/debug/pprof/goroutine?debug=1 shows equally many threads in relay_send "
        "and relay_receive: both sides wait, so they can't share a channel.",
    .bytes_default = 4096,
    .bytes_min = 512,
    .bytes_max = 16 * 1024 * 1024,
    .bytes_meaning = "a packet",
    .leaves = {.blocks = 2, .threads = 2},
    .suspect = "relay_open",
    .run = relay_pass,
    .held = relay_count,
};
