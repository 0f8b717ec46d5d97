/*
 * Tells the program's own code from libraries, allocators and wrappers.
 */
#include "leakcheck/judge/blame_frame.h"

#include <string.h>

#include "leakcheck/judge/library_code.h"

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
bool blame_is_own(const struct profile *profile, const struct frame *frame,
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
        if (blame_is_own(profile, frame, own)) {
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
bool blame_is_library_taking(const struct profile *profile, const struct record *record)
{
    for (size_t i = 0; i < record->frame_count; i++) {
        const struct frame *frame = &record->frames[i];
        if (frame->function == NULL || !is_allocator(frame->function)) {
            return !is_program(profile, frame);
        }
    }
    return false;
}

/* Whether the function takes the blame, as blame_frame has it. */
bool blame_takes(const struct frame *frame, const struct blame_own *own)
{
    bool is_own = own->count == 0;
    for (size_t i = 0; i < own->count && !is_own; i++) {
        is_own = path_is_own(frame->file, own->paths[i]);
    }
    return is_own && is_named_work(frame) && !code_is_library(frame) &&
           !wrappers_have(&own->wrappers, frame->function);
}

bool blame_meets(const struct profile *profile, const char *path)
{
    for (size_t i = 0; i < profile->count; i++) {
        const struct record *record = &profile->records[i];
        for (size_t j = 0; j < record->frame_count; j++) {
            if (blame_is_own(profile, &record->frames[j],
                             (struct blame_own){.paths = &path, .count = 1})) {
                return true;
            }
        }
    }
    return false;
}
