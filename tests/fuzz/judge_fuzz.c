/*
 * Fuzzes the judge's readers and the blame: the input, cut at each '\1', is two heap
 * profiles and two thread profiles, and the judge blames what grew between them, and
 * looks for who holds it.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/amount.h"
#include "leakcheck/judge/held.h"
#include "leakcheck/measure/profile_parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef int parse_function(struct profile *profile, const char *text, size_t length,
                           struct failure *failure);

/* Reads the part up to the next cut; a profile that cannot be read is empty. */
static void part_read(struct profile *profile, const char **at, const char *end,
                      parse_function *parse)
{
    struct failure failure = {""};
    size_t length = (size_t)(end - *at);
    const char *cut = length == 0 ? NULL : memchr(*at, 1, length);
    length = cut == NULL ? length : (size_t)(cut - *at);
    *profile = (struct profile){0};
    if (parse(profile, *at, length, &failure) < 0 && failure.text[0] == '\0') {
        abort();
    }
    *at += cut == NULL ? length : length + 1;
}

/* Takes the heaps for profiles of who holds what, too. */
static void held_try(const struct blame *blame, const struct profile *base,
                     const struct profile *last)
{
    const struct blame_own own = {0};
    struct failure failure = {""};
    struct held_places places;
    struct held held;
    if (held_places_list(&places, blame, own, base, last, &failure) < 0 ||
        held_find(&held, &places, base, last, &failure) < 0) {
        abort();
    }
    if (held.measured ? held.bytes <= 0 || held.bytes > held.total
                      : held.reason[0] == '\0') {
        abort();
    }
    held_places_release(&places);
}

/* Checks what the readers promise about amounts, and the blame about what it found. */
static void growth_try(enum blame_what what, const struct profile *base,
                       const struct profile *last)
{
    struct failure failure = {""};
    struct blame blame;
    struct blame_question question = {
        .what = what, .base = base, .last = last, .idle_from = last, .idle_to = base};
    if (last->totals.inuse_bytes >= AMOUNT_MAX || last->totals.inuse_objects < 0) {
        abort();
    }
    if (blame_find(&blame, &question, &failure) < 0) {
        abort();
    }
    if (blame.growth > blame.total || blame.total >= AMOUNT_MAX) {
        abort();
    }
    profile_grew(base, last);
    if (what != BLAME_THREADS && blame.growth > 0) {
        held_try(&blame, base, last);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *at = (const char *)data;
    const char *end = at + size;
    struct profile heaps[2];
    struct profile threads[2];
    for (int i = 0; i < 2; i++) {
        part_read(&heaps[i], &at, end, profile_parse_heap);
    }
    for (int i = 0; i < 2; i++) {
        part_read(&threads[i], &at, end, profile_parse_threads);
    }
    profile_borrow_names(&heaps[0], &heaps[1]);
    growth_try(BLAME_IN_USE, &heaps[0], &heaps[1]);
    growth_try(BLAME_ALLOCATED, &heaps[0], &heaps[1]);
    growth_try(BLAME_THREADS, &threads[0], &threads[1]);
    profile_release(&heaps[0]); /* before the one whose names it borrows */
    profile_release(&heaps[1]);
    profile_release(&threads[0]);
    profile_release(&threads[1]);
    return 0;
}
