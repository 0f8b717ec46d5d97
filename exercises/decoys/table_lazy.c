/*
 * A post office charges parcels by their zone. It works out the tariff of a zone, a
 * price for every weight, when the first parcel for it comes.
 */
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "scenario.h"

#define ZONES 32

struct tariff {
    size_t weights; /* how many prices it has */
    unsigned char prices[];
};

static struct tariff *tariffs[ZONES];
static pthread_mutex_t tariffs_lock = PTHREAD_MUTEX_INITIALIZER;

static size_t zone_of(const char *address)
{
    return scenario_digest(address, strlen(address)) % ZONES;
}

/* Works out a zone's tariff, in `bytes` bytes; NULL when memory is short. */
static struct tariff *tariff_work_out(size_t zone, size_t bytes)
{
    struct tariff *tariff = malloc(bytes);
    if (tariff == NULL) {
        return NULL;
    }
    tariff->weights = bytes - sizeof(*tariff);
    for (size_t weight = 0; weight < tariff->weights; weight++) {
        tariff->prices[weight] = (unsigned char)(zone * 7 + weight / 16);
    }
    return tariff;
}

/* The zone's tariff with that many bytes or more. Works it out if there is none, or
 * only a shorter one. The caller holds the lock. */
static struct tariff *tariff_get(size_t zone, size_t bytes)
{
    struct tariff *tariff = tariffs[zone];
    if (tariff == NULL || tariff->weights < bytes - sizeof(*tariff)) {
        tariff = tariff_work_out(zone, bytes);
        if (tariff != NULL) {
            free(tariffs[zone]);
            tariffs[zone] = tariff;
        }
    }
    return tariff;
}

/* Charges a parcel: the prices that are possible in its zone, and its address. */
static int parcel_charge(const struct scenario_request *request,
                         struct scenario_answer *answer)
{
    size_t zone = zone_of(request->id);
    pthread_mutex_lock(&tariffs_lock);
    struct tariff *tariff = tariff_get(zone, request->bytes);
    if (tariff != NULL) {
        size_t weights = request->bytes - sizeof(*tariff);
        scenario_answer_set(answer, "zone %zu, %zu prices %08x, parcel %08x", zone,
                            weights, scenario_digest(tariff->prices, weights),
                            scenario_digest(request->id, strlen(request->id)));
    }
    pthread_mutex_unlock(&tariffs_lock);
    return tariff != NULL ? 0 : -ENOMEM;
}

static void tariffs_clear(void)
{
    for (size_t zone = 0; zone < ZONES; zone++) {
        free(tariffs[zone]);
        tariffs[zone] = NULL;
    }
}

const struct scenario table_lazy_scenario = {
    .name = "table-lazy",
    .family = "decoys",
    .title = "A table that is made once, piece by piece",
    .kind = SCENARIO_PERMANENT,
    .story = "A post office works out a zone's tariff when the first parcel for that "
             "zone comes, and keeps it.",
    .symptom =
        "In-use heap climbs by a tariff at a time, ever more slowly, and is flat "
        "when all 32 zones have theirs.",
    .cause = "There are 32 zones. Each tariff is worked out once and used by all later "
             "parcels.",
    .fix = "Nothing is to be done: the table is what the work needs.",
    .find_it = "Compare two heap profiles taken later: tariff_work_out has at most 32 "
               "objects, as many as there are zones.",
    .bytes_default = 128 * 1024,
    .bytes_min = 1024,
    .bytes_max = 1024 * 1024,
    .bytes_meaning = "the tariff of one zone",
    .leaves = {.blocks = 1},
    .suspect = "tariff_work_out",
    .run = parcel_charge,
    .stop = tariffs_clear,
};
