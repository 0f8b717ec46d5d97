#include "leakcheck/measure/inlined.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "leakcheck/measure/binary.h"

/* A frame of the profile, and the functions there. */
struct place {
    const struct frame *frame;
    struct frame *functions; /* the innermost first */
    size_t count;            /* 0: not known */
};

/* All places of the program in stacks that have lost something, sorted by address. */
struct places {
    struct place *items;
    size_t count;
    /* The start of paths that the profile leaves out: where the program was built. */
    char *directory;
    size_t directory_length;
};

static int by_address(const void *left, const void *right)
{
    uint64_t a = ((const struct place *)left)->frame->address;
    uint64_t b = ((const struct place *)right)->frame->address;
    return (a > b) - (a < b);
}

static bool is_wanted(const struct profile *profile, const struct frame *frame)
{
    return frame->file != NULL && profile_in_program(profile, frame->address);
}

static int places_list(struct places *places, const struct profile *profile)
{
    size_t most = 0;
    for (size_t i = 0; i < profile->count; i++) {
        most += profile->records[i].frame_count;
    }
    places->items = calloc(most + 1, sizeof(*places->items));
    if (places->items == NULL) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < profile->count; i++) {
        const struct record *record = &profile->records[i];
        for (size_t j = 0; record->amounts.lost_objects > 0 && j < record->frame_count;
             j++) {
            if (is_wanted(profile, &record->frames[j])) {
                places->items[places->count++].frame = &record->frames[j];
            }
        }
    }
    qsort(places->items, places->count, sizeof(*places->items), by_address);
    size_t kept = 0;
    for (size_t i = 0; i < places->count; i++) {
        if (kept == 0 || by_address(&places->items[kept - 1], &places->items[i]) != 0) {
            places->items[kept++] = places->items[i];
        }
    }
    places->count = kept;
    return 0;
}

/* Finds out what the profile leaves out of the paths. */
static void directory_find(struct places *places, const char *path, const char *shown)
{
    size_t length = strlen(path);
    size_t rest = strlen(shown);
    if (places->directory == NULL && length > rest &&
        strcmp(path + length - rest, shown) == 0) {
        places->directory_length = length - rest;
        places->directory = strndup(path, length - rest);
    }
}

static int place_fill(struct places *places, struct place *place,
                      const struct binary *binary, struct profile *profile)
{
    struct frame found[INLINED_MOST];
    /* A return address is after its call. */
    size_t count =
        binary_inlined(binary, profile, place->frame->address - 1, found, INLINED_MOST);
    if (count == 0) {
        return 0;
    }
    directory_find(places, found[0].file, place->frame->file);
    if (count < 2) {
        return 0;
    }
    place->functions = arena_alloc(&profile->arena, count * sizeof(*place->functions));
    if (place->functions == NULL) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < count; i++) {
        found[i].address = place->frame->address;
    }
    found[count - 1].function = place->frame->function; /* it may have a namespace */
    memcpy(place->functions, found, count * sizeof(*found));
    place->count = count;
    return 0;
}

static int places_fill(struct places *places, struct profile *profile)
{
    if (places->count == 0) {
        return 0;
    }
    struct binary *binary = binary_create(profile->mappings[profile->program].path,
                                          profile, places->items[0].frame->address - 1);
    int error = 0;
    for (size_t i = 0; binary != NULL && error == 0 && i < places->count; i++) {
        error = place_fill(places, &places->items[i], binary, profile);
    }
    binary_destroy(binary);
    return error;
}

static void paths_shorten(const struct places *places)
{
    for (size_t i = 0; places->directory != NULL && i < places->count; i++) {
        for (size_t j = 0; j < places->items[i].count; j++) {
            struct frame *frame = &places->items[i].functions[j];
            if (strncmp(frame->file, places->directory, places->directory_length) ==
                0) {
                frame->file += places->directory_length;
            }
        }
    }
}

static const struct place *place_of(const struct places *places,
                                    const struct frame *frame)
{
    const struct place wanted = {.frame = frame};
    const struct place *found = bsearch(&wanted, places->items, places->count,
                                        sizeof(*places->items), by_address);
    return found == NULL || found->count == 0 ? NULL : found;
}

static int record_expand(struct record *record, const struct places *places,
                         struct arena *arena)
{
    size_t most = record->frame_count * INLINED_MOST + 1;
    struct frame *frames = calloc(most, sizeof(*frames));
    if (frames == NULL) {
        return -ENOMEM;
    }
    size_t count = 0;
    for (size_t i = 0; i < record->frame_count; i++) {
        const struct frame *frame = &record->frames[i];
        const struct place *place = place_of(places, frame);
        if (place == NULL) {
            frames[count++] = *frame;
            continue;
        }
        memcpy(&frames[count], place->functions, place->count * sizeof(*frames));
        count += place->count;
    }
    struct frame *kept = arena_alloc(arena, (count + 1) * sizeof(*kept));
    if (kept != NULL) {
        memcpy(kept, frames, count * sizeof(*kept));
        record->frames = kept;
        record->frame_count = count;
    }
    free(frames);
    return kept == NULL ? -ENOMEM : 0;
}

int inlined_expand(struct profile *profile)
{
    struct places places = {.items = NULL};
    int error = places_list(&places, profile);
    if (error == 0) {
        error = places_fill(&places, profile);
    }
    paths_shorten(&places);
    for (size_t i = 0; error == 0 && i < profile->count; i++) {
        if (profile->records[i].amounts.lost_objects > 0) {
            error = record_expand(&profile->records[i], &places, &profile->arena);
        }
    }
    free(places.items);
    free(places.directory);
    return error;
}
