/*
 * The profile of stuck threads has the lines; the list of locks says how many threads
 * are in one cycle, and which of those that never go on are new.
 */
#include "leakcheck/judge/proof.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/amount.h"

/* The words of the server for the reason of a thread. */
static const char *const words[PROOF_KINDS] = {
    [PROOF_DEADLOCK] = "deadlock", [PROOF_NEVER_RELEASED] = "never released"};

static int number_compare(const void *left, const void *right)
{
    int64_t a = *(const int64_t *)left;
    int64_t b = *(const int64_t *)right;
    return (a > b) - (a < b);
}

/* -- what the list of locks says -----------------------------------------------------
 */

/* Keeps the numbers of all threads of the reply. Without memory there are none: then a
 * cycle that is older may be counted, which only makes `together` wrong. */
static void threads_keep(struct proof_base *base, const struct locks_reply *reply)
{
    const struct lock_group *const lists[] = {reply->deadlocks, reply->never_released};
    const size_t counts[] = {reply->deadlock_count, reply->never_released_count};
    size_t room = 1;
    for (int list = 0; list < 2; list++) {
        for (size_t i = 0; i < counts[list]; i++) {
            room += lists[list][i].count;
        }
    }
    base->threads = calloc(room, sizeof(*base->threads));
    base->thread_count = 0;
    for (int list = 0; list < 2 && base->threads != NULL; list++) {
        for (size_t i = 0; i < counts[list]; i++) {
            const struct lock_group *group = &lists[list][i];
            memcpy(base->threads + base->thread_count, group->threads,
                   group->count * sizeof(*group->threads));
            base->thread_count += group->count;
        }
    }
    if (base->threads != NULL) {
        qsort(base->threads, base->thread_count, sizeof(*base->threads),
              number_compare);
    }
}

/* Keeps the numbers of all threads. Without memory they are not known. */
static void alive_keep(struct proof_base *base, const struct locks_reply *reply)
{
    const struct lock_group *all = &reply->threads;
    base->alive =
        reply->lists_threads ? calloc(all->count + 1, sizeof(*base->alive)) : NULL;
    if (base->alive != NULL) {
        base->alive_count = all->count;
        memcpy(base->alive, all->threads, all->count * sizeof(*all->threads));
        qsort(base->alive, all->count, sizeof(*base->alive), number_compare);
    }
}

static bool is_among(int64_t thread, const int64_t *threads, size_t count)
{
    return count > 0 &&
           bsearch(&thread, threads, count, sizeof(*threads), number_compare) != NULL;
}

/* Whether one of the threads was not stuck before. */
static bool is_new(const struct lock_group *group, const struct proof_base *base)
{
    for (size_t i = 0; i < group->count; i++) {
        if (!is_among(group->threads[i], base->threads, base->thread_count)) {
            return true;
        }
    }
    return false;
}

/* How many threads that never go on were not there at the base: also one that was there
 * from the start can get stuck, and is no part of what grew. UNKNOWN if the server does
 * not list its threads, or by other numbers. */
static int64_t explained(const struct proof_base *base, const struct proof_base *last,
                         const struct locks_reply *reply)
{
    int64_t count = 0;
    if (base->alive == NULL || last->alive == NULL) {
        return UNKNOWN;
    }
    for (size_t i = 0; i < reply->stuck.count; i++) {
        int64_t thread = reply->stuck.threads[i];
        if (!is_among(thread, last->alive, last->alive_count)) {
            return UNKNOWN;
        }
        count += !is_among(thread, base->alive, base->alive_count);
    }
    return count;
}

static int64_t largest_new(const struct lock_group *groups, size_t count,
                           const struct proof_base *base)
{
    size_t most = 0;
    for (size_t i = 0; i < count; i++) {
        if (groups[i].count > most && is_new(&groups[i], base)) {
            most = groups[i].count;
        }
    }
    return (int64_t)most;
}

/* -- what the profile says -----------------------------------------------------------
 */

static bool is_same_place(const struct proof_place *place, const struct frame *frame)
{
    return place->line == frame->line &&
           strcmp(place->function, frame->function) == 0 &&
           strcmp(place->file, frame->file == NULL ? "" : frame->file) == 0;
}

static int place_by_threads(const void *left, const void *right)
{
    const struct proof_place *a = left;
    const struct proof_place *b = right;
    return (a->threads < b->threads) - (a->threads > b->threads);
}

static int place_by_line(const void *left, const void *right)
{
    const struct proof_place *a = left;
    const struct proof_place *b = right;
    int order = strcmp(a->file, b->file);
    return order != 0 ? order : (a->line > b->line) - (a->line < b->line);
}

/* Adds threads that wait in this frame; `places` has room for one more. */
static void place_add(struct proof_place *places, size_t *count,
                      const struct frame *frame, int64_t threads)
{
    size_t i = 0;
    while (i < *count && !is_same_place(&places[i], frame)) {
        i++;
    }
    if (i == *count) {
        *count += 1;
        snprintf(places[i].function, sizeof(places[i].function), "%.199s",
                 frame->function);
        snprintf(places[i].file, sizeof(places[i].file), "%.199s",
                 frame->file == NULL ? "" : frame->file);
        places[i].line = frame->line;
        places[i].threads = 0;
    }
    places[i].threads = amount_add(places[i].threads, threads);
}

/* Whether the record is of that kind. */
static bool has_kind(const struct record *record, enum proof_kind kind)
{
    return record->reason != NULL && strcmp(record->reason, words[kind]) == 0;
}

/* How many threads more a stack has than before. */
static int64_t growth_of(const struct record *record, const struct profile *base)
{
    const struct record *before = profile_find(base, record->addresses, record->depth);
    return record->amounts.inuse_objects -
           (before == NULL ? 0 : before->amounts.inuse_objects);
}

/* Fills in threads and places of one kind. `places` has room for one a record. */
static void part_fill(struct proof_part *part, enum proof_kind kind,
                      const struct profile *base, const struct profile *last,
                      struct blame_own own, struct proof_place *places)
{
    size_t count = 0;
    for (size_t i = 0; i < last->count; i++) {
        const struct record *record = &last->records[i];
        int64_t growth = growth_of(record, base);
        if (growth <= 0 || !has_kind(record, kind)) {
            continue;
        }
        part->threads = amount_add(part->threads, growth);
        const struct frame *frame = blame_frame(last, record, own);
        /* A stack that is not known has a word in place of a frame. */
        if (frame != NULL && frame->address != 0) {
            place_add(places, &count, frame, growth);
        }
    }
    qsort(places, count, sizeof(*places), place_by_threads);
    part->place_count = count < PROOF_PLACES_MAX ? count : PROOF_PLACES_MAX;
    part->place_more = count - part->place_count;
    qsort(places, part->place_count, sizeof(*places), place_by_line);
    memcpy(part->places, places, part->place_count * sizeof(*places));
}

static int parts_fill(struct proof *proof, const struct profile *base,
                      const struct profile *last, struct blame_own own,
                      struct failure *failure)
{
    struct proof_place *places = calloc(last->count + 1, sizeof(*places));
    if (places == NULL) {
        return failure_set(failure, ENOMEM, "out of memory");
    }
    for (int kind = 0; kind < PROOF_KINDS; kind++) {
        part_fill(&proof->parts[kind], (enum proof_kind)kind, base, last, own, places);
    }
    free(places);
    return 0;
}

/* -- both ----------------------------------------------------------------------------
 */

/* Takes what is known now. */
static void base_read(struct proof_base *base, struct server *server,
                      struct locks_reply *reply, struct arena *arena)
{
    *base = (struct proof_base){.there = false};
    *reply = (struct locks_reply){.deadlocks = NULL};
    base->there = own_counts_try(server, OWN_STUCK, &base->stuck);
    if (base->there && own_locks_try(server, arena, reply)) {
        threads_keep(base, reply);
        alive_keep(base, reply);
    }
}

void proof_base_take(struct proof_base *base, struct server *server)
{
    struct arena arena = {0};
    struct locks_reply reply;
    proof_base_release(base);
    base_read(base, server, &reply, &arena);
    arena_release(&arena);
}

static int proof_make(struct proof *proof, const struct proof_base *base,
                      const struct proof_base *last, const struct locks_reply *reply,
                      struct blame_own own, struct failure *failure)
{
    int error = parts_fill(proof, &base->stuck, &last->stuck, own, failure);
    int64_t explains = explained(base, last, reply);
    proof->explains = explains < proof->grew ? explains : proof->grew;
    proof->parts[PROOF_DEADLOCK].together =
        largest_new(reply->deadlocks, reply->deadlock_count, base);
    proof->parts[PROOF_NEVER_RELEASED].together =
        largest_new(reply->never_released, reply->never_released_count, base);
    if (error == 0 && proof_main(proof) == NULL) {
        snprintf(proof->reason, sizeof(proof->reason),
                 "no thread is proved to wait for a lock for ever");
        proof->explains = 0;
    }
    return error;
}

int proof_find(struct proof *ret_proof, struct proof_base *base, struct server *server,
               struct blame_own own, int64_t grew, struct failure *failure)
{
    struct proof proof = {.grew = grew};
    struct proof_base last;
    struct locks_reply reply;
    struct arena arena = {0};
    int error = 0;
    if (base->there) {
        base_read(&last, server, &reply, &arena);
    }
    if (base->there && last.there) {
        error = proof_make(&proof, base, &last, &reply, own, failure);
        proof_base_release(base);
        *base = last;
    } else {
        snprintf(proof.reason, sizeof(proof.reason), "%.199s",
                 server->own_pages[OWN_STUCK].reason);
    }
    arena_release(&arena);
    *ret_proof = proof;
    return error;
}

const struct proof_part *proof_main(const struct proof *proof)
{
    const struct proof_part *most = NULL;
    for (int kind = 0; kind < PROOF_KINDS; kind++) {
        const struct proof_part *part = &proof->parts[kind];
        if (part->threads > 0 && (most == NULL || part->threads > most->threads)) {
            most = part;
        }
    }
    return most;
}

void proof_base_release(struct proof_base *base)
{
    profile_release(&base->stuck);
    free(base->threads);
    free(base->alive);
    *base = (struct proof_base){.there = false};
}
