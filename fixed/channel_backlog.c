/*
 * A service keeps an audit log. Every request sends one record through a global
 * channel, whose buffer is large. If the log has a writer, the request gets a receipt
 * for the record.
 */
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/channel.h"
#include "scenario.h"

#define AUDIT_RECORDS_MAX 131072
#define AUDIT_HEAD_BYTES 64 /* of a record's bytes; the rest is text */

struct audit_record {
    struct channel *receipt; /* of uint32_t, the digest; NULL: nobody waits for it */
    size_t text_bytes;
    char text[];
};

_Static_assert(sizeof(struct audit_record) <= AUDIT_HEAD_BYTES, "the head has room");

/* The lock guards both flags, which the first record sets; the channel needs no lock.
 */
static pthread_mutex_t audit_lock = PTHREAD_MUTEX_INITIALIZER;
static bool audit_is_open;
static bool audit_has_writer;    /* which takes the records out, and writes them */
static struct channel audit_log; /* of struct audit_record * */
static struct audit_record *audit_buffer[AUDIT_RECORDS_MAX];
static pthread_t audit_writer;

/* Writes a record, and sends its digest to the request if that waits for it. */
static void audit_write(struct audit_record *record)
{
    if (record->receipt != NULL) {
        uint32_t digest = scenario_digest(record->text, record->text_bytes);
        channel_send(record->receipt, &digest, NULL);
    }
    free(record);
}

/* Writes records until the log is closed. */
static void *audit_main(void *argument)
{
    struct audit_record *record = NULL;
    pthread_setname_np(pthread_self(), "audit");
    while (channel_receive(argument, &record, NULL) == 0) {
        audit_write(record);
    }
    return NULL;
}

/* Opens the log with the first record. Returns 0 or -errno. */
static int audit_open(void)
{
    int error = 0;
    pthread_mutex_lock(&audit_lock);
    if (!audit_is_open) {
        channel_init(&audit_log, audit_buffer, sizeof(audit_buffer[0]),
                     AUDIT_RECORDS_MAX);
        /* FIX: a writer takes the records out, from the first one on. */
        error = -pthread_create(&audit_writer, NULL, audit_main, &audit_log);
        audit_has_writer = error == 0;
        audit_is_open = audit_has_writer;
    }
    pthread_mutex_unlock(&audit_lock);
    return error;
}

/* NULL when memory is short. */
static struct audit_record *audit_record_open(const struct scenario_request *request,
                                              struct channel *receipt)
{
    struct audit_record *record = malloc(request->bytes);
    if (record == NULL) {
        return NULL;
    }
    record->receipt = receipt;
    record->text_bytes = request->bytes - AUDIT_HEAD_BYTES;
    memset(record->text, ' ', record->text_bytes);
    snprintf(record->text, record->text_bytes, "%s", request->id);
    return record;
}

/* Sends a record to the log, and waits for the receipt if there is a writer. Returns 0
 * or -errno; -ENOSPC if the buffer is full. */
static int audit_hand_in(const struct scenario_request *request,
                         struct scenario_answer *answer)
{
    int error = audit_open();
    if (error != 0) {
        return error;
    }
    uint32_t sent = 0;
    uint32_t digest = 0;
    struct channel receipt;
    /* The buffer holds the one digest, so its sender does not wait. */
    channel_init(&receipt, &sent, sizeof(sent), 1);
    struct audit_record *record =
        audit_record_open(request, audit_has_writer ? &receipt : NULL);
    error = record == NULL ? -ENOMEM : channel_try_send(&audit_log, &record);
    if (error != 0) {
        free(record);
    } else if (audit_has_writer) {
        channel_receive(&receipt, &digest, NULL);
        scenario_answer_set(answer, "record of %zu bytes, %08x", request->bytes,
                            digest);
    }
    channel_finish(&receipt);
    return error == -EAGAIN ? -ENOSPC : error;
}

static size_t audit_count(void)
{
    pthread_mutex_lock(&audit_lock);
    size_t count = audit_is_open ? channel_length(&audit_log) : 0;
    pthread_mutex_unlock(&audit_lock);
    return count;
}

static void audit_stop(void)
{
    pthread_mutex_lock(&audit_lock);
    bool was_open = audit_is_open;
    audit_is_open = false;
    pthread_mutex_unlock(&audit_lock);
    if (was_open) {
        channel_close(&audit_log);
        pthread_join(audit_writer, NULL);
    }
}

const struct scenario channel_backlog_scenario = {
    .name = "channel-backlog",
    .family = "global-caches",
    .title = "A queue that nobody empties",
    .kind = SCENARIO_PERMANENT,
    .story =
        "Every request sends a record to an audit log, through a global channel with a "
        "large buffer.",
    .symptom =
        "In-use heap climbs by one record with every request, no thread waits and "
        "nothing fails, until the buffer is full.",
    .cause =
        "Nothing ever receives from the channel. Its buffer is so large that no send "
        "has had to wait, so nobody has noticed.",
    .fix = "A writer, started with the first record, takes the records out and frees "
           "them; a full buffer refuses new ones.",
    .find_it =
        "Compare two dumps (google-pprof or go tool pprof, with --text --base): "
        "audit_record_open owns what grew. In /status, held grows with every call: "
        "look for the code that takes records out.",
    .bytes_default = 64 * 1024,
    .bytes_min = 1024,
    .bytes_max = 256 * 1024 * 1024,
    .bytes_meaning = "an audit record",
    .leaves = {.blocks = 1},
    .working_threads = 1,
    .suspect = "audit_record_open",
    .run = audit_hand_in,
    .held = audit_count,
    .stop = audit_stop,
};
