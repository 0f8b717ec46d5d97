/*
 * A server computes an answer for each question that it has not seen before, and keeps
 * the answers in a cache, by key, in the order of their last use.
 */
#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* When memory is short, uthash leaves the entry out instead of ending the process. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "runtime/ticker.h"
#include "scenario.h"

#define KEY_BYTES 160
#define CACHE_BYTES (16 * 1024 * 1024)
#define ANSWER_LIFE_MS 250
#define SWEEP_PERIOD_MS 50

struct answer {
    UT_hash_handle hh;
    long long expires_at; /* milliseconds of CLOCK_MONOTONIC */
    size_t bytes;         /* of the struct and its text */
    uint32_t number;      /* what was computed */
    char key[KEY_BYTES];
    unsigned char text[];
};

/* The answers by key. In the order of hh.next, the most recently used one is last. */
static struct answer *cache;
static size_t cache_bytes;
static pthread_mutex_t cache_lock = PTHREAD_MUTEX_INITIALIZER;
static atomic_size_t questions_asked;

static long long clock_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

/* Computes the answer to `question`, of `bytes` bytes with its key, which the caller
 * frees; NULL when memory is short. */
static struct answer *answer_compute(const char *question, const char *key,
                                     size_t bytes)
{
    struct answer *answer = malloc(bytes);
    if (answer == NULL) {
        return NULL;
    }
    memset(answer, question[0], bytes);
    answer->bytes = bytes;
    answer->number = scenario_digest(question, strlen(question));
    snprintf(answer->key, sizeof(answer->key), "%s", key);
    return answer;
}

/* Takes `answer` out of the cache. The caller holds the lock, as for cache_put. */
static void cache_take(struct answer *answer)
{
    HASH_DEL(cache, answer);
    cache_bytes -= answer->bytes;
}

static void cache_drop_oldest(void)
{
    struct answer *oldest = cache;
    assert(oldest->hh.prev == NULL); /* it is the first */
    cache_take(oldest);
    free(oldest);
}

/* Puts `answer` at the end of the cache, which then owns it; frees it on failure. */
static int cache_put(struct answer *answer)
{
    /* LEAK: each answer has a time to expire, but none is ever taken out. */
    answer->expires_at = clock_now_ms() + ANSWER_LIFE_MS;
    HASH_ADD_STR(cache, key, answer);
    if (answer->hh.tbl == NULL) {
        free(answer);
        return -ENOMEM;
    }
    cache_bytes += answer->bytes;
    return 0;
}

/* Whether the answer for `key` is in the cache. If it is, it goes to the end, and
 * `reply` says what it is. The caller holds the lock. */
static bool cache_find(const char *key, struct scenario_answer *reply)
{
    struct answer *answer;
    HASH_FIND_STR(cache, key, answer);
    if (answer == NULL) {
        return false;
    }
    cache_take(answer);
    if (cache_put(answer) != 0) {
        return false;
    }
    scenario_answer_set(reply, "%08x in %zu bytes", answer->number, answer->bytes);
    return true;
}

/* Every question is a new one: its key ends with a serial number. It is asked twice. */
static int question_ask(const struct scenario_request *request,
                        struct scenario_answer *answer)
{
    char key[KEY_BYTES];
    size_t serial = atomic_fetch_add(&questions_asked, 1);
    snprintf(key, sizeof(key), "%s/%zu", request->id, serial);
    pthread_mutex_lock(&cache_lock);
    bool found = cache_find(key, answer);
    pthread_mutex_unlock(&cache_lock);
    if (found) {
        return 0;
    }
    struct answer *computed = answer_compute(request->id, key, request->bytes);
    if (computed == NULL) {
        return -ENOMEM;
    }
    pthread_mutex_lock(&cache_lock);
    int error = cache_put(computed);
    if (error == 0 && !cache_find(key, answer)) { /* now it comes from the cache */
        error = -ENOMEM;
    }
    pthread_mutex_unlock(&cache_lock);
    return error;
}

static size_t cache_count(void)
{
    pthread_mutex_lock(&cache_lock);
    size_t count = HASH_COUNT(cache);
    pthread_mutex_unlock(&cache_lock);
    return count;
}

static void cache_stop(void)
{
    pthread_mutex_lock(&cache_lock);
    while (cache != NULL) {
        cache_drop_oldest();
    }
    pthread_mutex_unlock(&cache_lock);
}

const struct scenario global_cache_scenario = {
    .name = "global-cache",
    .family = "global-caches",
    .title = "A cache without a limit",
    .kind = SCENARIO_PERMANENT,
    .story = "A server keeps the answer to every question in a global map, so that it "
             "does not compute it again. New questions keep coming.",
    .symptom =
        "In-use heap climbs by an answer with every new question and never falls, "
        "not even when the server is idle.",
    .cause =
        "Answers go into the map and never leave it. They all stay reachable, so a "
        "leak checker finds nothing lost.",
    .fix = "The cache has a limit in bytes: the answers used longest ago make room. It "
           "has a time to live, too: a ticker takes out what has expired.",
    .find_it = "Compare two dumps (google-pprof or go tool pprof, with --text --base): "
               "answer_compute owns what grew. In /status, held grows with every call.",
    .bytes_default = 1024 * 1024,
    .bytes_min = 1024,
    .bytes_max = CACHE_BYTES,
    .bytes_meaning = "one answer, with its key",
    .leaves = {.blocks = 1},
    .suspect = "answer_compute",
    .run = question_ask,
    .held = cache_count,
    .stop = cache_stop,
};
