/*
 * Who is to blame for what grew: the difference of two profiles, grouped by the
 * innermost frame of the program itself.
 */
#include "blame.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What grew in one function. */
struct group {
    const struct frame *frame; /* of the stack that grew most: its line is shown */
    int64_t frame_growth;
    int64_t growth;
};

static bool starts(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* The directory of a Go package inside GOROOT ends in src/<package>, and a package of
 * the standard library has no dot before its first slash: "net/http", not
 * "github.com/x/y". The program's own is "main". */
static bool is_go_standard(const struct frame *frame)
{
    const char *function = frame->function == NULL ? "" : frame->function;
    const char *slash = strrchr(function, '/');
    const char *dot = strchr(slash == NULL ? function : slash, '.');
    if (dot == NULL || starts(function, "main.")) {
        return false;
    }
    size_t length = (size_t)(dot - function);
    char directory[256];
    if (length == 0 || length >= sizeof(directory) - 8) {
        return false;
    }
    const char *first = memchr(function, '.', length);
    const char *end = memchr(function, '/', length);
    if (first != NULL && end != NULL && first < end) {
        return false;
    }
    snprintf(directory, sizeof(directory), "src/%.*s/", (int)length, function);
    /* -trimpath leaves "net/http/server.go". */
    return strstr(frame->file, directory) != NULL || starts(frame->file, directory + 4);
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

/* Whether the frame is code of the program, and not of a library. */
static bool is_own(const struct profile *profile, const struct frame *frame,
                   bool any_file)
{
    if (frame->function == NULL || is_allocator(frame->function)) {
        return false;
    }
    if (any_file) {
        return frame->file != NULL && !starts(frame->file, "/usr/include/") &&
               !is_go_standard(frame);
    }
    return profile_in_program(profile, frame->address);
}

/* Code of the lab that only carries out what a scenario asks for: a thread that waits
 * in a channel waits for its scenario's sake. */
static bool is_runtime(const struct frame *frame)
{
    return frame->file != NULL &&
           (starts(frame->file, "common/") || strstr(frame->file, "/common/") != NULL);
}

const struct frame *blame_frame(const struct profile *profile,
                                const struct record *record)
{
    bool any_file = false;
    for (size_t i = 0; i < record->frame_count; i++) {
        any_file = any_file || record->frames[i].file != NULL;
    }
    const struct frame *runtime = NULL;
    const struct frame *named = NULL;
    for (size_t i = 0; i < record->frame_count; i++) {
        const struct frame *frame = &record->frames[i];
        if (is_own(profile, frame, any_file)) {
            if (!is_runtime(frame)) {
                return frame;
            }
            runtime = runtime == NULL ? frame : runtime;
        }
        if (named == NULL && frame->function != NULL &&
            !is_allocator(frame->function)) {
            named = frame;
        }
    }
    return runtime != NULL ? runtime : named;
}

/* Whether the bytes are what the C library keeps for a thread or a timer: a price of
 * each, and not what the scenario asked for. */
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

/* What the server allocates to write the profiles that it is asked for is the judge's
 * own doing. */
static bool is_profiling(const struct record *record)
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

static bool same_text(const char *left, const char *right)
{
    return strcmp(left == NULL ? "" : left, right == NULL ? "" : right) == 0;
}

/* The group of the frame's function, made if it is new. */
static struct group *group_find(struct group *groups, size_t *count,
                                const struct frame *frame)
{
    for (size_t i = 0; i < *count; i++) {
        const struct frame *other = groups[i].frame;
        if (same_text(other->function, frame->function) &&
            same_text(other->file, frame->file)) {
            return &groups[i];
        }
    }
    groups[*count] = (struct group){.frame = frame, .frame_growth = INT64_MIN};
    return &groups[(*count)++];
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

/* Puts every stack that changed into its function's group. */
static void groups_fill(struct group *groups, size_t *count, int64_t *ret_total,
                        const struct blame_question *question)
{
    for (size_t i = 0; i < question->last->count; i++) {
        const struct record *record = &question->last->records[i];
        int64_t growth = growth_of(record, question->what, question->base);
        if (growth == 0 || is_profiling(record) || grows_when_idle(question, record)) {
            continue;
        }
        *ret_total += growth > 0 ? growth : 0;
        const struct frame *frame = blame_frame(question->last, record);
        if (frame == NULL || is_thread_cost(record, frame)) {
            continue;
        }
        struct group *group = group_find(groups, count, frame);
        group->growth += growth;
        if (growth > group->frame_growth) {
            group->frame_growth = growth;
            group->frame = frame;
        }
    }
}

/* Whether a group is more to blame than another: code that only serves the rest is
 * blamed last, and then the one that grew less. */
static bool group_is_worse(const struct group *group, const struct group *other)
{
    if (is_runtime(group->frame) != is_runtime(other->frame)) {
        return is_runtime(other->frame);
    }
    return group->growth > other->growth;
}

/* Chooses the group that is to blame most. */
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
    blame->growth = most->growth;
    for (size_t i = 0; i < count; i++) {
        if (same_text(groups[i].frame->file, frame->file)) {
            blame->file_growth += groups[i].growth;
        }
    }
}

int blame_find(struct blame *ret_blame, const struct blame_question *question,
               struct failure *failure)
{
    struct blame blame = {0};
    struct group *groups = calloc(question->last->count + 1, sizeof(*groups));
    if (groups == NULL) {
        return failure_set(failure, ENOMEM, "out of memory");
    }
    size_t count = 0;
    groups_fill(groups, &count, &blame.total, question);
    groups_judge(groups, count, &blame);
    free(groups);
    *ret_blame = blame;
    return 0;
}

int64_t blame_held(const struct profile *profile, const struct blame *blame)
{
    int64_t held = 0;
    for (size_t i = 0; i < profile->count; i++) {
        const struct frame *frame = blame_frame(profile, &profile->records[i]);
        if (frame != NULL && same_text(frame->function, blame->function) &&
            same_text(frame->file, blame->file)) {
            held += profile->records[i].amounts.inuse_bytes;
        }
    }
    return held;
}
