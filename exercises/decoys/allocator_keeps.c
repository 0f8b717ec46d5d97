/*
 * A map maker prints an atlas for each journey: a few maps for every place on the way.
 * The maps are drawn first, and bound when the last one is there.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "scenario.h"

#define MAPS_OF_A_PLACE 8
#define PLACES_MAX 128

/* One map of an atlas, in the order in which they are bound. */
struct map {
    struct map *next;
    unsigned char ink[];
};

/* Draws a map of a place; NULL when memory is short. */
static struct map *map_draw(char place, size_t bytes)
{
    struct map *map = malloc(bytes);
    if (map == NULL) {
        return NULL;
    }
    map->next = NULL;
    memset(map->ink, place, bytes - sizeof(*map));
    return map;
}

/* Draws all maps of the journey into a list. Returns 0, or -ENOMEM; the caller frees
 * the list in either case. */
static int atlas_draw(const char *journey, size_t bytes, struct map **ret_first)
{
    *ret_first = NULL;
    struct map **end = ret_first;
    for (const char *place = journey; *place != '\0'; place++) {
        for (int i = 0; i < MAPS_OF_A_PLACE; i++) {
            struct map *map = map_draw(*place, bytes);
            if (map == NULL) {
                return -ENOMEM;
            }
            *end = map;
            end = &map->next;
        }
    }
    return 0;
}

/* Binds the maps, from the first to the last. Returns the digest of their colours. */
static uint32_t atlas_bind(const struct map *first, size_t bytes)
{
    unsigned char colours[PLACES_MAX * MAPS_OF_A_PLACE];
    size_t count = 0;
    for (const struct map *map = first; map != NULL; map = map->next) {
        colours[count++] = map->ink[bytes - sizeof(*map) - 1];
    }
    return scenario_digest(colours, count);
}

static void atlas_free(struct map *first)
{
    while (first != NULL) {
        struct map *next = first->next;
        free(first);
        first = next;
    }
}

static int atlas_print(const struct scenario_request *request,
                       struct scenario_answer *answer)
{
    struct map *first;
    int error = atlas_draw(request->id, request->bytes, &first);
    if (error == 0) {
        scenario_answer_set(answer, "atlas %08x, maps of %zu bytes",
                            atlas_bind(first, request->bytes), request->bytes);
    }
    atlas_free(first);
    return error;
}

const struct scenario allocator_keeps_scenario = {
    .name = "allocator-keeps",
    .family = "decoys",
    .title = "Memory that is freed, and kept by the allocator",
    .kind = SCENARIO_PERMANENT,
    .story =
        "A map maker draws all maps of an atlas, binds them, and throws the drawings "
        "away.",
    .symptom =
        "The resident set climbs with the largest atlas and does not fall again. "
        "In-use heap is flat.",
    .cause =
        "Every map is freed. The allocator keeps the free pages for the next atlas "
        "instead of giving them back to the system.",
    .fix = "Nothing is to be done: the next atlas uses the same pages again.",
    .find_it = "In /status, rss_bytes is far above alloc_bytes and heap_free_bytes is "
               "large. map_draw is at the top of alloc_space, and not of inuse_space.",
    .bytes_default = 32 * 1024,
    .bytes_min = 1024,
    .bytes_max = 256 * 1024,
    .bytes_meaning = "one map",
    .holds = {.blocks = PLACES_MAX * MAPS_OF_A_PLACE},
    .run = atlas_print,
};
