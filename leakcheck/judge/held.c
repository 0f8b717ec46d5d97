/*
 * The heap profile has whole stacks, the profile of what is retained only the place of
 * the allocation. That is the blamed frame, and what was allocated there is added up by
 * holder; or it is a library, or a wrapper, that allocated for the blamed frame. So if
 * nothing of the blamed frame has grown, all places inside of it count.
 */
#include "leakcheck/judge/held.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/amount.h"

/* How much a holder gained. */
struct gain {
    const char *holder;
    int64_t bytes;
};

struct gains {
    struct gain *at;
    size_t count;
};

static int address_compare(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left;
    uint64_t b = *(const uint64_t *)right;
    return a == b ? 0 : a < b ? -1 : 1;
}

static int gain_compare(const void *left, const void *right)
{
    return strcmp(((const struct gain *)left)->holder,
                  ((const struct gain *)right)->holder);
}

/* Whether the frame is in the blamed function. */
static bool is_blamed(const struct frame *frame, const struct blame *blame)
{
    return frame != NULL && strcmp(frame->function, blame->function) == 0 &&
           strcmp(frame->file == NULL ? "" : frame->file, blame->file) == 0;
}

/* How many addresses of the stack are not outside of the blamed frame. A record has the
 * address after a call; a frame of profile.proto has that of the call. */
static size_t inner_depth(const struct record *record, const struct frame *blamed)
{
    for (size_t i = 0; i < record->depth; i++) {
        if (record->addresses[i] == blamed->address ||
            record->addresses[i] == blamed->address + 1) {
            return i + 1;
        }
    }
    return record->depth;
}

/* Whether the stack has more bytes in use than before. */
static bool has_grown(const struct record *record, const struct profile *base)
{
    const struct record *before = profile_find(base, record->addresses, record->depth);
    int64_t in_use = before == NULL ? 0 : before->amounts.inuse_bytes;
    return record->amounts.inuse_bytes > in_use;
}

/* Lists the places of the stacks that grew and are blamed. Returns 0 or -ENOMEM. */
static int list_make(struct held_list *list, const struct blame *blame,
                     struct blame_own own, const struct profile *base,
                     const struct profile *last, bool inner)
{
    size_t room = 1;
    for (size_t i = 0; i < last->count; i++) {
        room += last->records[i].depth;
    }
    list->at = calloc(room, sizeof(*list->at));
    if (list->at == NULL) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < last->count; i++) {
        const struct record *record = &last->records[i];
        if (!has_grown(record, base)) {
            continue; /* nearly all of them, and the names of a stack take long */
        }
        const struct frame *frame = blame_frame(last, record, own);
        if (is_blamed(frame, blame)) {
            size_t depth = inner_depth(record, frame);
            for (size_t j = inner || depth == 0 ? 0 : depth - 1; j < depth; j++) {
                list->at[list->count++] = record->addresses[j];
            }
        }
    }
    qsort(list->at, list->count, sizeof(*list->at), address_compare);
    return 0;
}

int held_places_list(struct held_places *ret_places, const struct blame *blame,
                     struct blame_own own, const struct profile *base,
                     const struct profile *last, struct failure *failure)
{
    struct held_places places = {0};
    int error = list_make(&places.blamed, blame, own, base, last, false);
    if (error == 0) {
        error = list_make(&places.inner, blame, own, base, last, true);
    }
    if (error < 0) {
        held_places_release(&places);
        return failure_set(failure, ENOMEM, "out of memory");
    }
    *ret_places = places;
    return 0;
}

void held_places_release(struct held_places *places)
{
    free(places->blamed.at);
    free(places->inner.at);
    *places = (struct held_places){0};
}

/* Adds what each holder has, with `sign`, of what was allocated at one of the places.
 */
static void gains_list(struct gains *gains, const struct profile *profile, int sign,
                       const struct held_list *places)
{
    for (size_t i = 0; i < profile->count; i++) {
        const struct record *record = &profile->records[i];
        /* A stack is at least the place of the allocation and the holder. */
        if (record->depth < 2 || record->frame_count < 2 || places->count == 0 ||
            bsearch(&record->addresses[0], places->at, places->count,
                    sizeof(*places->at), address_compare) == NULL) {
            continue;
        }
        const char *holder = record->frames[record->frame_count - 1].function;
        gains->at[gains->count++] =
            (struct gain){.holder = holder == NULL ? "" : holder,
                          .bytes = sign * record->amounts.inuse_bytes};
    }
}

/* Joins what one holder has on several stacks: one of its many threads may have the
 * same name as another. */
static void gains_join(struct gains *gains)
{
    size_t joined = 0;
    qsort(gains->at, gains->count, sizeof(*gains->at), gain_compare);
    for (size_t i = 0; i < gains->count; i++) {
        if (joined > 0 && gain_compare(&gains->at[joined - 1], &gains->at[i]) == 0) {
            struct gain *gain = &gains->at[joined - 1];
            gain->bytes = amount_add(gain->bytes, gains->at[i].bytes);
        } else {
            gains->at[joined++] = gains->at[i];
        }
    }
    gains->count = joined;
}

/* Whether a text is the name of a holder. The outermost frame of any other profile is
 * a function, and that would be a wrong answer. */
static bool is_holder(const char *text)
{
    static const char *const starts[] = {"global ",  "thread-local ", "thread \"",
                                         "library ", "mapping ",      "kernel: "};
    for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
        if (strncmp(text, starts[i], strlen(starts[i])) == 0) {
            return true;
        }
    }
    return strcmp(text, "thread") == 0 || strcmp(text, HELD_LOST) == 0;
}

/* Chooses the holder that gained most. */
static void gains_judge(const struct gains *gains, struct held *held)
{
    const struct gain *most = NULL;
    int64_t total = 0;
    for (size_t i = 0; i < gains->count; i++) {
        const struct gain *gain = &gains->at[i];
        if (gain->bytes > 0) {
            total = amount_add(total, gain->bytes);
            most = most == NULL || gain->bytes > most->bytes ? gain : most;
        }
    }
    *held = (struct held){0};
    if (most == NULL) {
        held_refuse(held, "the profiles of what is held show no growth of it");
        return;
    }
    if (!is_holder(most->holder)) {
        held_refuse(held, "the profile of what is held names no holders");
        return;
    }
    held->measured = true;
    snprintf(held->holder, sizeof(held->holder), "%s", most->holder);
    held->bytes = most->bytes;
    held->total = total;
}

int held_find(struct held *ret_held, const struct held_places *places,
              const struct profile *base, const struct profile *last,
              struct failure *failure)
{
    const struct held_list *const lists[] = {&places->blamed, &places->inner};
    struct held held = {0};
    struct gains gains = {.at =
                              calloc(base->count + last->count + 1, sizeof(*gains.at))};
    if (gains.at == NULL) {
        return failure_set(failure, ENOMEM, "out of memory");
    }
    for (size_t i = 0; i < 2 && !held.measured; i++) {
        gains.count = 0;
        gains_list(&gains, base, -1, lists[i]);
        gains_list(&gains, last, 1, lists[i]);
        gains_join(&gains);
        gains_judge(&gains, &held);
    }
    free(gains.at);
    *ret_held = held;
    return 0;
}

void held_refuse(struct held *held, const char *reason)
{
    *held = (struct held){0};
    snprintf(held->reason, sizeof(held->reason), "%.199s", reason);
}

bool held_is_lost(const struct held *held)
{
    return strcmp(held->holder, HELD_LOST) == 0;
}

double held_share(const struct held *held)
{
    return held->total <= 0 ? 0 : (double)held->bytes / (double)held->total;
}
