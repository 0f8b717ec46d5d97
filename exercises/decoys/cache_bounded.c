/*
 * A forum shows the portraits of its members. It scales each to the size of the page,
 * and keeps what it has scaled, because the same members write again and again.
 */
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scenario.h"

#define PORTRAITS_MAX 96
#define MEMBER_BYTES 129

struct portrait {
    size_t bytes; /* of the struct and its pixels */
    char member[MEMBER_BYTES];
    unsigned char pixels[];
};

/* The newest portraits. When the table is full, a new one replaces the oldest. */
static struct portrait *portraits[PORTRAITS_MAX];
static size_t portraits_next;
static pthread_mutex_t portraits_lock = PTHREAD_MUTEX_INITIALIZER;

/* Scales a member's portrait to `bytes` bytes; NULL when memory is short. */
static struct portrait *portrait_scale(const char *member, size_t bytes)
{
    struct portrait *portrait = malloc(bytes);
    if (portrait == NULL) {
        return NULL;
    }
    portrait->bytes = bytes;
    snprintf(portrait->member, sizeof(portrait->member), "%s", member);
    size_t length = strlen(member);
    for (size_t i = 0; i < bytes - sizeof(*portrait); i++) {
        portrait->pixels[i] = (unsigned char)member[i % length];
    }
    return portrait;
}

/* The member's portrait of that size; NULL if there is none. The caller holds the lock,
 * as for portrait_keep. */
static struct portrait *portrait_find(const char *member, size_t bytes)
{
    for (size_t i = 0; i < PORTRAITS_MAX; i++) {
        struct portrait *portrait = portraits[i];
        if (portrait != NULL && portrait->bytes == bytes &&
            strcmp(portrait->member, member) == 0) {
            return portrait;
        }
    }
    return NULL;
}

static void portrait_keep(struct portrait *portrait)
{
    free(portraits[portraits_next]);
    portraits[portraits_next] = portrait;
    portraits_next = (portraits_next + 1) % PORTRAITS_MAX;
}

/* Computes what the page shows of the member: the digest of the portrait's pixels. */
static int portrait_show(const char *member, size_t bytes, uint32_t *ret_shown)
{
    pthread_mutex_lock(&portraits_lock);
    if (portrait_find(member, bytes) == NULL) {
        struct portrait *scaled = portrait_scale(member, bytes);
        if (scaled != NULL) {
            portrait_keep(scaled);
        }
    }
    struct portrait *portrait = portrait_find(member, bytes);
    if (portrait != NULL) {
        *ret_shown = scenario_digest(portrait->pixels, bytes - sizeof(*portrait));
    }
    pthread_mutex_unlock(&portraits_lock);
    return portrait != NULL ? 0 : -ENOMEM;
}

static int page_compose(const struct scenario_request *request,
                        struct scenario_answer *answer)
{
    uint32_t shown;
    int error = portrait_show(request->id, request->bytes, &shown);
    if (error == 0) {
        scenario_answer_set(answer, "portrait %08x, %zu bytes", shown, request->bytes);
    }
    return error;
}

static void portraits_clear(void)
{
    for (size_t i = 0; i < PORTRAITS_MAX; i++) {
        free(portraits[i]);
        portraits[i] = NULL;
    }
}

const struct scenario cache_bounded_scenario = {
    .name = "cache-bounded",
    .family = "decoys",
    .title = "A cache that fills and stops",
    .kind = SCENARIO_PERMANENT,
    .story = "A forum keeps the portraits that it has scaled. Members come whom it has "
             "not shown yet.",
    .symptom = "In-use heap climbs by a portrait with every new member, and after "
               "96 portraits it is flat.",
    .cause = "The table has 96 places. When it is full, each new portrait replaces the "
             "oldest one, which is freed.",
    .fix = "Nothing is to be done: the most that it takes is known beforehand.",
    .find_it = "Compare two heap profiles taken later: portrait_scale has the same "
               "number of objects in both.",
    .bytes_default = 64 * 1024,
    .bytes_min = 1024,
    .bytes_max = 1024 * 1024,
    .bytes_meaning = "one portrait",
    .leaves = {.blocks = 1},
    .suspect = "portrait_scale",
    .run = page_compose,
    .stop = portraits_clear,
};
