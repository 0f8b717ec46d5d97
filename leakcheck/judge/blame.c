/*
 * Subtracts two profiles and groups the difference by the innermost frame of the
 * program's own code.
 */
#include "leakcheck/judge/blame.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/amount.h"
#include "base/size.h"

#define PROFILE_BUFFER_BYTES MIB /* of gperftools' GetHeapProfile */

/* How much one stack grew, and the frame to blame for it. */
struct share {
    const struct frame *frame;
    int64_t growth;
    bool own;     /* the frame is in one of the paths of blame_own */
    bool library; /* a library allocated the memory for this frame */
};

/* The growth in one function. */
struct group {
    const struct frame *frame; /* of the stack that grew most; its line is shown */
    int64_t frame_growth;
    int64_t growth;
    int64_t library_growth;
    bool own;
};

static bool starts(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* Whether the C library allocated the bytes for a thread or a timer: the scenario
 * itself did not request them. */
static bool is_thread_cost(const struct record *record, const struct frame *blamed)
{
    static const char *const names[] = {"pthread_create", "__pthread_create",
                                        "allocate_dtv", "_dl_allocate_tls",
                                        "timer_create"};
    for (const struct frame *frame = record->frames; frame < blamed; frame++) {
        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
            if (frame->function != NULL && starts(frame->function, names[i])) {
                return true;
            }
        }
    }
    return false;
}

/* Whether the server allocated the memory to write a profile. leakcheck causes these
 * allocations, so they are not a leak. */
static bool is_profiling_by_name(const struct record *record)
{
    for (size_t i = 0; i < record->frame_count; i++) {
        const char *function = record->frames[i].function;
        if (function != NULL &&
            (starts(function, "GetHeapProfile") || starts(function, "runtime/pprof.") ||
             starts(function, "net/http/pprof."))) {
            return true;
        }
    }
    return false;
}

/* How many of the innermost addresses are in gperftools' library. In most versions
 * none, because they leave out the frames of malloc. */
static size_t allocator_depth(const struct profile *profile,
                              const struct record *record)
{
    size_t depth = 0;
    while (depth < record->depth) {
        const struct mapping *mapping =
            profile_mapping(profile, record->addresses[depth]);
        if (mapping == NULL || strstr(mapping->path, "/libtcmalloc") == NULL) {
            break;
        }
        depth++;
    }
    return depth;
}

static size_t allocator_depth_least(const struct profile *profile)
{
    size_t least = SIZE_MAX;
    for (size_t i = 0; i < profile->count && least > 0; i++) {
        size_t depth = allocator_depth(profile, &profile->records[i]);
        least = depth < least ? depth : least;
    }
    return least;
}

/* Whether the profiler itself made the allocation. If the profile has no name for
 * GetHeapProfile, its stack is known by two signs: blocks of 1 MiB, and more frames in
 * gperftools' library than malloc has. A server may free one such block while another
 * is in use. */
static bool is_profiling(const struct profile *profile, const struct record *record,
                         size_t least)
{
    const struct amounts *amounts = &record->amounts;
    bool buffers =
        amounts->alloc_objects > 0 &&
        amounts->alloc_bytes % PROFILE_BUFFER_BYTES == 0 &&
        amounts->alloc_bytes / PROFILE_BUFFER_BYTES == amounts->alloc_objects;
    return is_profiling_by_name(record) ||
           (buffers && allocator_depth(profile, record) > least);
}

static int64_t amount_of(const struct record *record, enum blame_what what)
{
    if (record == NULL) {
        return 0;
    }
    switch (what) {
    case BLAME_IN_USE:
    case BLAME_MADE_BYTES:
        return record->amounts.inuse_bytes;
    case BLAME_ALLOCATED:
        return record->amounts.alloc_bytes;
    default:
        return record->amounts.inuse_objects;
    }
}

static int64_t growth_of(const struct record *record, enum blame_what what,
                         const struct profile *from)
{
    return amount_of(record, what) -
           amount_of(profile_find(from, record->addresses, record->depth), what);
}

/* Compares texts; NULL is the same as "". */
static int text_compare(const char *left, const char *right)
{
    return strcmp(left == NULL ? "" : left, right == NULL ? "" : right);
}

static bool same_text(const char *left, const char *right)
{
    return text_compare(left, right) == 0;
}

/* Sorts by file, then by function, so that each group is contiguous. */
static int share_compare(const void *left, const void *right)
{
    const struct frame *a = ((const struct share *)left)->frame;
    const struct frame *b = ((const struct share *)right)->frame;
    int order = text_compare(a->file, b->file);
    return order != 0 ? order : text_compare(a->function, b->function);
}

static bool grows_when_idle(const struct blame_question *question,
                            const struct record *record)
{
    if (question->idle_from == NULL || question->idle_to == NULL) {
        return false;
    }
    const struct record *later =
        profile_find(question->idle_to, record->addresses, record->depth);
    return later != NULL && growth_of(later, question->what, question->idle_from) > 0;
}

static bool is_made(const struct blame_question *question)
{
    return question->what == BLAME_MADE || question->what == BLAME_MADE_BYTES;
}

/* Whether the stack is no stack, but one of the words that a profile of who made things
 * has in place of one. */
static bool is_word(const struct record *record, const char *word)
{
    return record->frame_count == 1 && record->frames[0].address == 0 &&
           record->frames[0].file == NULL &&
           same_text(record->frames[0].function, word);
}

/* Whether the growth is not the program's doing: the profile shows what it takes itself
 * to write it. */
static bool is_left_out(const struct blame_question *question,
                        const struct record *record, size_t least)
{
    return is_made(question) ? is_word(record, "the probe's own")
                             : is_profiling(question->last, record, least);
}

/* Whether nobody takes the blame for it. */
static bool is_nobodys(const struct blame_question *question,
                       const struct record *record, const struct frame *frame)
{
    return frame == NULL || (is_made(question) ? is_word(record, "made unseen")
                                               : is_thread_cost(record, frame));
}

/* Lists every stack that changed, with the frame to blame for it. Adds up what grew in
 * blame->total, and what nobody saw being made in blame->unseen. */
static size_t shares_list(struct share *shares, struct blame *blame,
                          const struct blame_question *question)
{
    const struct profile *last = question->last;
    size_t least = allocator_depth_least(last);
    size_t count = 0;
    for (size_t i = 0; i < last->count; i++) {
        const struct record *record = &last->records[i];
        int64_t growth = growth_of(record, question->what, question->base);
        if (growth == 0 || is_left_out(question, record, least) ||
            grows_when_idle(question, record)) {
            continue;
        }
        int64_t grown = growth > 0 ? growth : 0;
        blame->total = amount_add(blame->total, grown);
        const struct frame *frame = blame_frame(last, record, question->own);
        if (is_made(question) && is_word(record, "made unseen")) {
            blame->unseen = amount_add(blame->unseen, grown);
        }
        if (is_nobodys(question, record, frame)) {
            continue;
        }
        shares[count++] =
            (struct share){.frame = frame,
                           .growth = growth,
                           .own = blame_is_own(last, frame, question->own),
                           .library = blame_is_library_taking(last, record)};
    }
    return count;
}

/* Adds one stack to its function's group. */
static void group_add(struct group *group, const struct share *share)
{
    group->own = share->own;
    group->growth = amount_add(group->growth, share->growth);
    if (share->library) {
        group->library_growth = amount_add(group->library_growth, share->growth);
    }
    if (group->frame == NULL || share->growth > group->frame_growth) {
        group->frame_growth = share->growth;
        group->frame = share->frame;
    }
}

/* Joins the sorted shares of each function to one group. */
static size_t groups_join(struct group *groups, const struct share *shares,
                          size_t share_count)
{
    size_t count = 0;
    for (size_t i = 0; i < share_count; i++) {
        if (i == 0 || share_compare(&shares[i - 1], &shares[i]) != 0) {
            groups[count++] = (struct group){0};
        }
        group_add(&groups[count - 1], &shares[i]);
    }
    return count;
}

/* Compares two groups: the program's own code is blamed before other code, then the one
 * that grew more. */
static bool group_is_worse(const struct group *group, const struct group *other)
{
    if (group->own != other->own) {
        return group->own;
    }
    return group->growth > other->growth;
}

/* Chooses the group to blame. */
static void groups_judge(const struct group *groups, size_t count, struct blame *blame)
{
    const struct group *most = NULL;
    for (size_t i = 0; i < count; i++) {
        if (groups[i].growth > 0 &&
            (most == NULL || group_is_worse(&groups[i], most))) {
            most = &groups[i];
        }
    }
    if (most == NULL) {
        return;
    }
    const struct frame *frame = most->frame;
    snprintf(blame->function, sizeof(blame->function), "%s", frame->function);
    snprintf(blame->file, sizeof(blame->file), "%s",
             frame->file == NULL ? "" : frame->file);
    blame->line = frame->line;
    blame->address = frame->address;
    blame->own = most->own;
    blame->growth = most->growth;
    for (size_t i = 0; i < count; i++) {
        if (same_text(groups[i].frame->file, frame->file)) {
            blame->file_growth = amount_add(blame->file_growth, groups[i].growth);
            blame->library_growth =
                amount_add(blame->library_growth, groups[i].library_growth);
        }
    }
    if (frame->file == NULL) { /* without a file there is no sum over a file */
        blame->file_growth = most->growth;
        blame->library_growth = most->library_growth;
    }
}

int blame_find(struct blame *ret_blame, const struct blame_question *question,
               struct failure *failure)
{
    struct blame blame = {0};
    size_t room = question->last->count + 1;
    struct share *shares = calloc(room, sizeof(*shares));
    struct group *groups = calloc(room, sizeof(*groups));
    int error = 0;
    if (shares == NULL || groups == NULL) {
        error = failure_set(failure, ENOMEM, "out of memory");
    } else {
        size_t share_count = shares_list(shares, &blame, question);
        qsort(shares, share_count, sizeof(*shares), share_compare);
        size_t count = groups_join(groups, shares, share_count);
        groups_judge(groups, count, &blame);
        *ret_blame = blame;
    }
    free(shares);
    free(groups);
    return error;
}

/* How long the start of the path is that the blamed file's name has not: the profile
 * may leave out the directory where the program was built. */
static size_t directory_length(const char *path, const char *blamed)
{
    size_t length = strlen(path);
    size_t known = strlen(blamed);
    return length >= known && strcmp(path + length - known, blamed) == 0
               ? length - known
               : 0;
}

void blame_refine(struct blame *blame, const struct frame *frames, size_t count,
                  const struct blame_own *own)
{
    for (size_t i = 0; i < count && count > 1; i++) {
        const struct frame *frame = &frames[i];
        if (!blame_takes(frame, own)) {
            continue;
        }
        size_t skipped = directory_length(frames[0].file, blame->file);
        bool same_place = strncmp(frame->file, frames[0].file, skipped) == 0;
        snprintf(blame->file, sizeof(blame->file), "%s",
                 frame->file + (same_place ? skipped : 0));
        blame->line = frame->line;
        if (i + 1 < count) { /* the outermost has its name already */
            snprintf(blame->function, sizeof(blame->function), "%s", frame->function);
        }
        return;
    }
}

int64_t blame_held(const struct profile *profile, const struct blame *blame,
                   struct blame_own own)
{
    int64_t held = 0;
    for (size_t i = 0; i < profile->count; i++) {
        const struct frame *frame = blame_frame(profile, &profile->records[i], own);
        if (frame != NULL && same_text(frame->function, blame->function) &&
            same_text(frame->file, blame->file)) {
            held = amount_add(held, profile->records[i].amounts.inuse_bytes);
        }
    }
    return held;
}
