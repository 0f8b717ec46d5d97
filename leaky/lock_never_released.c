/*
 * Ten workers post one entry each to a ledger that a mutex guards. The first entry is
 * refused, because its amount is zero. The other nine come after it.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/channel.h"
#include "scenario.h"

#define LEDGER_ENTRIES 10
#define LEDGER_HEAD_BYTES 128 /* of an entry's bytes; the rest are its receipt */

struct ledger {
    pthread_mutex_t lock;
    int balance;
    uint32_t receipts; /* the sum of the digests of all posted entries' receipts */
};

struct ledger_entry {
    struct ledger *ledger;
    int amount;
    pthread_t worker;
    struct channel go; /* a bool: whether to post the entry */
    size_t receipt_bytes;
    char receipt[];
};

_Static_assert(sizeof(struct ledger_entry) <= LEDGER_HEAD_BYTES, "the head has room");

static atomic_size_t ledger_entries;

/* NULL when memory is short. */
static struct ledger *ledger_open(void)
{
    struct ledger *ledger = malloc(sizeof(*ledger));
    if (ledger != NULL) {
        pthread_mutex_init(&ledger->lock, NULL);
        ledger->balance = 0;
        ledger->receipts = 0;
    }
    return ledger;
}

static void ledger_close(struct ledger *ledger)
{
    pthread_mutex_destroy(&ledger->lock);
    free(ledger);
}

/* Tells what the entries came to. A ledger that is locked is not finished. */
static void ledger_report(struct ledger *ledger, struct scenario_answer *answer)
{
    if (pthread_mutex_trylock(&ledger->lock) == 0) {
        scenario_answer_set(answer, "balance %d, receipts %08x", ledger->balance,
                            ledger->receipts);
        pthread_mutex_unlock(&ledger->lock);
    }
}

static void ledger_post(struct ledger_entry *entry)
{
    struct ledger *ledger = entry->ledger;
    uint32_t receipt = scenario_digest(entry->receipt, entry->receipt_bytes);
    pthread_mutex_lock(&ledger->lock);
    if (entry->amount == 0) {
        /* LEAK: this return keeps the lock, and all later entries wait for it. */
        return;
    }
    ledger->balance += entry->amount;
    ledger->receipts += receipt;
    pthread_mutex_unlock(&ledger->lock);
}

static void *ledger_main(void *argument)
{
    struct ledger_entry *entry = argument;
    bool go = false;
    pthread_setname_np(pthread_self(), "ledger");
    channel_receive(&entry->go, &go, NULL);
    if (go) {
        ledger_post(entry);
    }
    return NULL;
}

/* Makes an entry and its worker, which waits for `go`. Returns 0 or -errno. */
static int ledger_entry_open(struct ledger *ledger, int amount,
                             const struct scenario_request *request,
                             struct ledger_entry **ret_entry)
{
    struct ledger_entry *entry = malloc(request->bytes);
    if (entry == NULL) {
        return -ENOMEM;
    }
    *entry = (struct ledger_entry){.ledger = ledger, .amount = amount};
    entry->receipt_bytes = request->bytes - LEDGER_HEAD_BYTES;
    memset(entry->receipt, ' ', entry->receipt_bytes);
    snprintf(entry->receipt, entry->receipt_bytes, "%d for %08x", amount,
             scenario_digest(request->id, strlen(request->id)));
    channel_init(&entry->go, NULL, sizeof(bool), 0);
    int error = -pthread_create(&entry->worker, NULL, ledger_main, entry);
    if (error != 0) {
        channel_finish(&entry->go);
        free(entry);
        return error;
    }
    atomic_fetch_add(&ledger_entries, 1);
    *ret_entry = entry;
    return 0;
}

static void ledger_entry_close(struct ledger_entry *entry)
{
    pthread_join(entry->worker, NULL);
    channel_finish(&entry->go);
    free(entry);
    atomic_fetch_sub(&ledger_entries, 1);
}

static int ledger_keep(const struct scenario_request *request,
                       struct scenario_answer *answer)
{
    struct ledger *ledger = ledger_open();
    if (ledger == NULL) {
        return -ENOMEM;
    }
    struct ledger_entry *entries[LEDGER_ENTRIES];
    int error = 0;
    int count = 0;
    while (count < LEDGER_ENTRIES && error == 0) {
        error = ledger_entry_open(ledger, count, request, &entries[count]);
        if (error == 0) {
            count++;
        }
    }

    /* Posts all entries or none. The first one is done before the others start. */
    bool go = error == 0;
    for (int i = 0; i < count; i++) {
        channel_send(&entries[i]->go, &go, NULL);
        if (i == 0 || !go) {
            ledger_entry_close(entries[i]);
        } else {
            pthread_detach(entries[i]->worker);
        }
    }
    ledger_report(ledger, answer);
    if (!go) {
        ledger_close(ledger);
    }
    return error;
}

static size_t ledger_entries_count(void)
{
    return atomic_load(&ledger_entries);
}

const struct scenario lock_never_released_scenario = {
    .name = "lock-never-released",
    .family = "stuck-threads",
    .title = "One return keeps the lock",
    .kind = SCENARIO_PERMANENT,
    .story = "Ten workers post entries to a ledger under one mutex. The first entry is "
             "refused.",
    .symptom = "Every request leaves nine threads and their receipts behind, and the "
               "tenth thread, which caused it, is gone.",
    .cause = "The path that refuses an entry returns without unlocking the mutex. Its "
             "owner ends, and everyone else waits in pthread_mutex_lock for ever.",
    .fix = "Every path through the function ends with the unlock. A single exit with a "
           "label makes that hard to forget.",
    .find_it =
        "/debug/pprof/goroutine?debug=1 shows nine threads per request in "
        "pthread_mutex_lock, called from ledger_post. No stack holds the lock: its "
        "owner ended, so check every return of that function.",
    .bytes_default = 4096,
    .bytes_min = 256,
    .bytes_max = 16 * 1024 * 1024,
    .bytes_meaning = "an entry's receipt",
    .leaves = {.blocks = LEDGER_ENTRIES - 1, .threads = LEDGER_ENTRIES - 1},
    .working_threads = 1,
    .suspect = "ledger_entry_open",
    .run = ledger_keep,
    .held = ledger_entries_count,
};
