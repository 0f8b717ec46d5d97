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
#include "leakcheck/judge/library_code.h"

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

static bool is_allocator(const char *function)
{
    static const char *const prefixes[] = {"malloc",
                                           "calloc",
                                           "realloc",
                                           "reallocarray",
                                           "memalign",
                                           "strdup",
                                           "strndup",
                                           "__strdup",
                                           "__strndup",
                                           "posix_memalign",
                                           "tc_",
                                           "tcmalloc::",
                                           "MallocHook",
                                           "operator new",
                                           "aligned_alloc",
                                           "asprintf",
                                           "(anonymous namespace)::do_"};
    for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
        if (starts(function, prefixes[i])) {
            return true;
        }
    }
    return false;
}

/* Whether `path` is `own`, or a file in the directory `own`. `own` may also be only the
 * last part of such a path. Libraries may have a version after the name: "libcache.so"
 * is also libcache.so.1.2. */
static bool path_is_own(const char *path, const char *own)
{
    size_t length = strlen(own);
    while (length > 0 && own[length - 1] == '/') {
        length--;
    }
    for (const char *at = path; length > 0 && *at != '\0'; at++) {
        bool at_start = at == path || at[-1] == '/' || own[0] == '/';
        if (at_start && strncmp(at, own, length) == 0 &&
            (strchr("/.", at[length]) != NULL || at[length] == '\0')) {
            return own[0] != '/' || at == path;
        }
    }
    return false;
}

/* Whether the frame's source file or library is one of the `own` paths. The program
 * file itself is not compared: a source directory may have the same name. */
static bool is_own(const struct profile *profile, const struct frame *frame,
                   struct blame_own own)
{
    const struct mapping *mapping = NULL;
    if (own.count > 0 && !profile_in_program(profile, frame->address)) {
        mapping = profile_mapping(profile, frame->address);
    }
    for (size_t i = 0; i < own.count; i++) {
        if ((frame->file != NULL && path_is_own(frame->file, own.paths[i])) ||
            (mapping != NULL && path_is_own(mapping->path, own.paths[i]))) {
            return true;
        }
    }
    return false;
}

/* Whether the frame is code of the program, not of a library. The mappings decide this;
 * in a profile without mappings (Go's), or without addresses (Java's, Node's), the
 * frame's file and function do. */
static bool is_program(const struct profile *profile, const struct frame *frame)
{
    if (code_is_library(frame)) {
        return false;
    }
    if (frame->address == 0) {
        return true;
    }
    return profile->mapping_count > 0 ? profile_in_program(profile, frame->address)
                                      : frame->file != NULL;
}

static bool is_named_work(const struct frame *frame)
{
    return frame->function != NULL && !is_allocator(frame->function);
}

/* Sets *place to the frame if it is the first of its kind. */
static void first_keep(const struct frame **place, const struct frame *frame)
{
    *place = *place == NULL ? frame : *place;
}

const struct frame *blame_frame(const struct profile *profile,
                                const struct record *record, struct blame_own own)
{
    /* The innermost frames: of the own paths, of the program, of anything. Those of
     * wrappers come after the others. */
    enum { OWN_WRAPPER, PROGRAM, PROGRAM_WRAPPER, NAMED, NAMED_WRAPPER, KINDS };
    const struct frame *found[KINDS] = {NULL};
    for (size_t i = 0; i < record->frame_count; i++) {
        const struct frame *frame = &record->frames[i];
        if (!is_named_work(frame)) {
            continue;
        }
        bool wrapper = wrappers_have(&own.wrappers, frame->function);
        if (is_own(profile, frame, own)) {
            if (!wrapper) {
                return frame;
            }
            first_keep(&found[OWN_WRAPPER], frame);
        }
        if (is_program(profile, frame)) {
            first_keep(&found[wrapper ? PROGRAM_WRAPPER : PROGRAM], frame);
        }
        first_keep(&found[wrapper ? NAMED_WRAPPER : NAMED], frame);
    }
    for (int kind = 0; kind < KINDS; kind++) {
        if (found[kind] != NULL) {
            return found[kind];
        }
    }
    return NULL;
}

/* Whether a library made the allocation, not the program itself: looks at the innermost
 * frame after those of the allocator. */
static bool is_library_taking(const struct profile *profile,
                              const struct record *record)
{
    for (size_t i = 0; i < record->frame_count; i++) {
        const struct frame *frame = &record->frames[i];
        if (frame->function == NULL || !is_allocator(frame->function)) {
            return !is_program(profile, frame);
        }
    }
    return false;
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

/* Lists every stack that changed, with the frame to blame for it. */
static size_t shares_list(struct share *shares, int64_t *ret_total,
                          const struct blame_question *question)
{
    const struct profile *last = question->last;
    size_t least = allocator_depth_least(last);
    size_t count = 0;
    for (size_t i = 0; i < last->count; i++) {
        const struct record *record = &last->records[i];
        int64_t growth = growth_of(record, question->what, question->base);
        if (growth == 0 || is_profiling(last, record, least) ||
            grows_when_idle(question, record)) {
            continue;
        }
        *ret_total = amount_add(*ret_total, growth > 0 ? growth : 0);
        const struct frame *frame = blame_frame(last, record, question->own);
        if (frame == NULL || is_thread_cost(record, frame)) {
            continue;
        }
        shares[count++] = (struct share){.frame = frame,
                                         .growth = growth,
                                         .own = is_own(last, frame, question->own),
                                         .library = is_library_taking(last, record)};
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
        size_t share_count = shares_list(shares, &blame.total, question);
        qsort(shares, share_count, sizeof(*shares), share_compare);
        size_t count = groups_join(groups, shares, share_count);
        groups_judge(groups, count, &blame);
        *ret_blame = blame;
    }
    free(shares);
    free(groups);
    return error;
}

/* Whether the function takes the blame, as blame_frame has it. */
static bool frame_is_blamed(const struct frame *frame, const struct blame_own *own)
{
    bool is_own = own->count == 0;
    for (size_t i = 0; i < own->count && !is_own; i++) {
        is_own = path_is_own(frame->file, own->paths[i]);
    }
    return is_own && is_named_work(frame) && !code_is_library(frame) &&
           !wrappers_have(&own->wrappers, frame->function);
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
        if (!frame_is_blamed(frame, own)) {
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

bool blame_meets(const struct profile *profile, const char *path)
{
    for (size_t i = 0; i < profile->count; i++) {
        const struct record *record = &profile->records[i];
        for (size_t j = 0; j < record->frame_count; j++) {
            if (is_own(profile, &record->frames[j],
                       (struct blame_own){.paths = &path, .count = 1})) {
                return true;
            }
        }
    }
    return false;
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
