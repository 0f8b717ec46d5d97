/*
 * A bank settles three transfers at the same time: from the first account to the
 * second, from the second to the first, and from the third to the first. Each has a
 * worker, each account has a lock, and a transfer needs the locks of both its accounts.
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

#define ACCOUNT_COUNT 3
#define ACCOUNT_HEAD_BYTES 256 /* of an account's bytes; the rest are its history */

struct account {
    int number;
    pthread_mutex_t lock;
    long balance;
    struct account *payee; /* the account that gets the money */
    pthread_t worker;      /* the thread of the transfer */
    struct channel ready;  /* a signal: the transfer is prepared */
    struct channel go;     /* a bool: whether to carry it out */
    size_t history_bytes;
    char history[];
};

_Static_assert(sizeof(struct account) <= ACCOUNT_HEAD_BYTES, "the head has room");

static atomic_size_t accounts_open;

/* NULL when memory is short. */
static struct account *account_open(const struct scenario_request *request, int number)
{
    struct account *account = malloc(request->bytes);
    if (account == NULL) {
        return NULL;
    }
    *account = (struct account){.number = number, .balance = 100};
    account->history_bytes = request->bytes - ACCOUNT_HEAD_BYTES;
    memset(account->history, ' ', account->history_bytes);
    snprintf(account->history, account->history_bytes, "account %d of %s", number,
             request->id);
    pthread_mutex_init(&account->lock, NULL);
    channel_init(&account->ready, NULL, 0, 0);
    channel_init(&account->go, NULL, sizeof(bool), 0);
    atomic_fetch_add(&accounts_open, 1);
    return account;
}

/* Takes NULL. */
static void account_close(struct account *account)
{
    if (account != NULL) {
        channel_finish(&account->go);
        channel_finish(&account->ready);
        pthread_mutex_destroy(&account->lock);
        free(account);
        atomic_fetch_sub(&accounts_open, 1);
    }
}

/* Tells the bank that the transfer is prepared, and waits for its answer. */
static bool account_confirm(struct account *from)
{
    bool go = false;
    channel_send(&from->ready, NULL, NULL);
    channel_receive(&from->go, &go, NULL);
    return go;
}

static void account_transfer(struct account *from, struct account *to)
{
    /* LEAK: each worker holds one lock and waits for another: the first two wait for
     * each other, and the third waits for the first. */
    pthread_mutex_lock(&from->lock);
    if (account_confirm(from)) {
        pthread_mutex_lock(&to->lock);
        from->balance--;
        to->balance++;
        pthread_mutex_unlock(&to->lock);
    }
    pthread_mutex_unlock(&from->lock);
}

static void *account_main(void *argument)
{
    struct account *from = argument;
    pthread_setname_np(pthread_self(), "account");
    account_transfer(from, from->payee);
    return NULL;
}

/* Does all the transfers or none. Returns 0 or -errno; on failure no worker is left. */
static int account_settle(struct account *accounts[ACCOUNT_COUNT])
{
    int error = 0;
    int started = 0;
    while (started < ACCOUNT_COUNT && error == 0) {
        struct account *from = accounts[started];
        error = -pthread_create(&from->worker, NULL, account_main, from);
        if (error == 0) {
            started++;
        }
    }
    bool go = error == 0;
    for (int i = 0; i < started; i++) {
        channel_receive(&accounts[i]->ready, NULL, NULL);
    }
    for (int i = 0; i < started; i++) {
        channel_send(&accounts[i]->go, &go, NULL);
    }
    for (int i = 0; i < started; i++) {
        if (go) {
            pthread_detach(accounts[i]->worker);
        } else {
            pthread_join(accounts[i]->worker, NULL);
        }
    }
    return error;
}

/* Tells what the transfers came to. While an account is locked, they are not done. */
static void account_report(struct account *accounts[ACCOUNT_COUNT],
                           struct scenario_answer *answer)
{
    long balances[ACCOUNT_COUNT];
    uint32_t histories = 0;
    for (int i = 0; i < ACCOUNT_COUNT; i++) {
        struct account *account = accounts[i];
        if (pthread_mutex_trylock(&account->lock) != 0) {
            return;
        }
        balances[i] = account->balance;
        histories += scenario_digest(account->history, account->history_bytes);
        pthread_mutex_unlock(&account->lock);
    }
    scenario_answer_set(answer, "balances %ld %ld %ld, histories %08x", balances[0],
                        balances[1], balances[2], histories);
}

static int account_clear(const struct scenario_request *request,
                         struct scenario_answer *answer)
{
    struct account *accounts[ACCOUNT_COUNT];
    int error = 0;
    for (int i = 0; i < ACCOUNT_COUNT; i++) {
        accounts[i] = account_open(request, i + 1);
        if (accounts[i] == NULL) {
            error = -ENOMEM;
        }
    }
    if (error == 0) {
        accounts[0]->payee = accounts[1];
        accounts[1]->payee = accounts[0];
        accounts[2]->payee = accounts[0];
        error = account_settle(accounts);
    }
    if (error == 0) {
        account_report(accounts, answer);
    }
    for (int i = 0; i < ACCOUNT_COUNT && error != 0; i++) {
        account_close(accounts[i]);
    }
    return error;
}

static size_t account_count(void)
{
    return atomic_load(&accounts_open);
}

const struct scenario lock_deadlock_scenario = {
    .name = "lock-deadlock",
    .family = "stuck-threads",
    .title = "Two locks, taken in two orders",
    .kind = SCENARIO_PERMANENT,
    .story =
        "A bank carries out three transfers between three accounts at the same time, "
        "each in a worker that locks both its accounts.",
    .symptom =
        "Every request leaves three threads and three accounts behind; processor "
        "time stays at zero.",
    .cause =
        "One worker holds the first account and wants the second, another holds the "
        "second and wants the first. A third wants the first too.",
    .fix =
        "All workers take the locks in one order, lower account number first, and hold "
        "none while they wait for anything else.",
    .find_it = "/debug/pprof/goroutine?debug=1 shows three threads per request in "
               "pthread_mutex_lock, called from account_transfer at the second of its "
               "two locks.",
    .bytes_default = 4096,
    .bytes_min = 512,
    .bytes_max = 16 * 1024 * 1024,
    .bytes_meaning = "an account with its history",
    .leaves = {.blocks = ACCOUNT_COUNT, .threads = ACCOUNT_COUNT},
    .suspect = "account_open",
    .run = account_clear,
    .held = account_count,
};
