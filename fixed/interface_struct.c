/*
 * A reception desk reads a visitor's record with a photograph, and puts it into a box
 * on its guest list. A box can hold values of any type.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/box.h"
#include "scenario.h"

#define GUESTS_MAX 65536

struct badge {
    size_t number;
    char name[32];
};

struct visitor {
    struct badge badge;
    unsigned char photograph[];
};

struct guest {
    struct box box;
    struct badge badge;
};

/* The newest guests. When the list is full, a new one replaces the oldest. */
static struct guest guests[GUESTS_MAX];
static size_t guests_next;
static size_t guests_held;
static pthread_mutex_t guests_lock = PTHREAD_MUTEX_INITIALIZER;

/* Reads a record of `bytes` bytes in all, which the caller frees; NULL when memory is
 * short. */
static struct visitor *visitor_read(const char *id, size_t bytes)
{
    struct visitor *visitor = malloc(bytes);
    if (visitor == NULL) {
        return NULL;
    }
    memset(visitor, id[0], bytes);
    visitor->badge.number = bytes;
    snprintf(visitor->badge.name, sizeof(visitor->badge.name), "Visitor %08x",
             scenario_digest(id, strlen(id)));
    return visitor;
}

static void guest_release(struct guest *guest)
{
    if (guest->box.type != NULL) {
        box_release(&guest->box);
        guests_held--;
    }
}

/* Puts a visitor on the list, takes ownership of the record, and returns the place on
 * the list. The caller holds the lock. */
static const struct guest *guest_list(struct visitor *visitor)
{
    struct guest *guest = &guests[guests_next];
    guests_next = (guests_next + 1) % GUESTS_MAX;
    guest_release(guest);
    /* FIX: the box keeps the number and the name; the record can be freed. */
    static const struct box_type type = {.name = "badge",
                                         .bytes = sizeof(struct badge)};
    guest->badge = visitor->badge;
    box_init(&guest->box, &type, &guest->badge);
    free(visitor);
    guests_held++;
    return guest;
}

/* Reads the badge in a guest's box into the answer. A visitor begins with its badge. */
static void guest_read(const struct guest *guest, struct scenario_answer *answer)
{
    const struct badge *badge = guest->box.contents;
    if (badge != NULL) {
        scenario_answer_set(answer, "number %zu, name %08x", badge->number,
                            scenario_digest(badge->name, sizeof(badge->name)));
    }
}

static int visitor_receive(const struct scenario_request *request,
                           struct scenario_answer *answer)
{
    struct visitor *visitor = visitor_read(request->id, request->bytes);
    if (visitor == NULL) {
        return -ENOMEM;
    }
    pthread_mutex_lock(&guests_lock);
    guest_read(guest_list(visitor), answer);
    pthread_mutex_unlock(&guests_lock);
    return 0;
}

static size_t guests_count(void)
{
    pthread_mutex_lock(&guests_lock);
    size_t count = guests_held;
    pthread_mutex_unlock(&guests_lock);
    return count;
}

static void guests_clear(void)
{
    for (size_t i = 0; i < GUESTS_MAX; i++) {
        guest_release(&guests[i]);
    }
}

const struct scenario interface_struct_scenario = {
    .name = "interface-struct",
    .family = "interfaces",
    .title = "A large record in a box",
    .kind = SCENARIO_PERMANENT,
    .story =
        "A reception desk reads a visitor's record and puts it on a list that takes "
        "any type of value. Only the number and the name are needed later.",
    .symptom = "In-use heap climbs by a whole record with every request, although the "
               "list is a few lines of text.",
    .cause = "A box, like an interface value in Go, holds the whole value that was put "
             "in, even if only a part of it is used.",
    .fix = "Only the number and the name go into the box; the record is freed when the "
           "request ends.",
    .find_it =
        "Compare two dumps (google-pprof or go tool pprof, with --text --base): "
        "visitor_read owns what grew. Then look at what guest_list puts into the "
        "box.",
    .bytes_default = 1024 * 1024,
    .bytes_min = 1024,
    .bytes_max = 256 * 1024 * 1024,
    .bytes_meaning = "the visitor's record",
    .leaves = {.blocks = 1},
    .suspect = "visitor_read",
    .run = visitor_receive,
    .held = guests_count,
    .stop = guests_clear,
};
