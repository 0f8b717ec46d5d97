/*
 * A chat server gives every room a worker. It receives the room's messages from one
 * channel, and the notice that the room closes from another.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/channel.h"
#include "scenario.h"

#define ROOM_HEAD_BYTES 256 /* of a room's bytes; the rest are its history */

enum room_case { ROOM_MESSAGE, ROOM_CLOSING, ROOM_CASES };

struct room {
    struct channel messages; /* of one character each */
    struct channel closing;  /* a signal */
    struct channel report;   /* of uint32_t: the history's digest */
    size_t history_bytes;
    size_t received;
    char history[];
};

_Static_assert(sizeof(struct room) <= ROOM_HEAD_BYTES, "the head has room");

static atomic_size_t rooms_open;

/* NULL when memory is short. */
static struct room *room_open(const struct scenario_request *request)
{
    struct room *room = malloc(request->bytes);
    if (room == NULL) {
        return NULL;
    }
    channel_init(&room->messages, NULL, sizeof(char), 0);
    /* The buffer holds the one notice, so its sender does not wait. */
    channel_init(&room->closing, NULL, 0, 1);
    channel_init(&room->report, NULL, sizeof(uint32_t), 0);
    room->history_bytes = request->bytes - ROOM_HEAD_BYTES;
    room->received = 0;
    memset(room->history, '.', room->history_bytes);
    atomic_fetch_add(&rooms_open, 1);
    return room;
}

static void room_close(struct room *room)
{
    channel_finish(&room->report);
    channel_finish(&room->closing);
    channel_finish(&room->messages);
    free(room);
    atomic_fetch_sub(&rooms_open, 1);
}

static void room_remember(struct room *room, char message)
{
    room->history[room->received % room->history_bytes] = message;
    room->received++;
}

static void room_report(struct room *room)
{
    uint32_t digest = scenario_digest(room->history, room->history_bytes);
    channel_send(&room->report, &digest, NULL);
}

/* Takes the room's messages until the room closes, and reports what it took. */
static void room_serve(struct room *room)
{
    while (true) {
        char message = '\0';
        struct channel_case cases[ROOM_CASES] = {
            [ROOM_MESSAGE] = {.channel = &room->messages, .item = &message},
            [ROOM_CLOSING] = {.channel = &room->closing},
        };
        if (channel_select(cases, ROOM_CASES, NULL) == ROOM_CLOSING) {
            room_remember(room, '\n');
            room_report(room);
            /* FIX: the notice ends the loop, and the thread with it. */
            return;
        }
        room_remember(room, message);
    }
}

static void *room_main(void *argument)
{
    pthread_setname_np(pthread_self(), "room");
    room_serve(argument);
    return NULL;
}

static int room_chat(const struct scenario_request *request,
                     struct scenario_answer *answer)
{
    struct room *room = room_open(request);
    if (room == NULL) {
        return -ENOMEM;
    }
    pthread_t worker;
    int error = -pthread_create(&worker, NULL, room_main, room);
    if (error != 0) {
        room_close(room);
        return error;
    }
    for (const char *message = request->id; *message != '\0'; message++) {
        channel_send(&room->messages, message, NULL);
    }
    channel_try_send(&room->closing, NULL);
    uint32_t digest = 0;
    channel_receive(&room->report, &digest, NULL);
    scenario_answer_set(answer, "%zu bytes, history %08x", request->bytes, digest);
    pthread_join(worker, NULL);
    room_close(room);
    return 0;
}

static size_t room_count(void)
{
    return atomic_load(&rooms_open);
}

const struct scenario thread_ignored_exit_scenario = {
    .name = "thread-ignored-exit",
    .family = "stuck-threads",
    .title = "A worker that is told to end and carries on",
    .kind = SCENARIO_PERMANENT,
    .story = "A chat room's worker selects between the room's messages and the notice "
             "that the room closes.",
    .symptom = "Every room that was opened and closed leaves a thread and its history "
               "behind.",
    .cause =
        "The worker receives the notice, writes it down and goes back to the select, "
        "where nothing will ever arrive again: the return is missing.",
    .fix = "Return when the notice arrives. Its sender joins the thread and frees the "
           "room.",
    .find_it = "/debug/pprof/goroutine?debug=1 shows many threads in channel_select, "
               "called from room_serve. The heap profile shows room_open.",
    .bytes_default = 64 * 1024,
    .bytes_min = 1024,
    .bytes_max = 256 * 1024 * 1024,
    .bytes_meaning = "a room's history",
    .leaves = {.blocks = 1, .threads = 1},
    .suspect = "room_open",
    .run = room_chat,
    .held = room_count,
};
