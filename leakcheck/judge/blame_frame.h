/*
 * Which frame of a stack takes the blame: the innermost one of the program's own code
 * that is no allocation wrapper.
 */
#ifndef LEAKCHECK_JUDGE_BLAME_FRAME_H
#define LEAKCHECK_JUDGE_BLAME_FRAME_H

#include "leakcheck/judge/wrappers.h"
#include "leakcheck/measure/profile.h"

/* Paths of the program's own code: source files, directories of them, or libraries. A
 * path may be only the last part ("src/cache.c" for /srv/app/src/cache.c). Without any
 * path, the program's own mapping is its code, and libraries are not. */
struct blame_own {
    const char *const *paths;
    size_t count;
    struct wrappers wrappers; /* they take no blame; { 0 }: there are none */
};

/* The frame of `record` to blame; NULL if it has no named frame. */
const struct frame *blame_frame(const struct profile *profile,
                                const struct record *record, struct blame_own own);

/* Whether the frame's source file or library is one of the own paths. */
bool blame_is_own(const struct profile *profile, const struct frame *frame,
                  struct blame_own own);

/* Whether a library made the allocation, not the program itself. */
bool blame_is_library_taking(const struct profile *profile,
                             const struct record *record);

/* Whether a function in the program's file takes the blame, as blame_frame has it. */
bool blame_takes(const struct frame *frame, const struct blame_own *own);

/* Whether any stack with names has a frame in `path`, one of those in blame_own. */
bool blame_meets(const struct profile *profile, const char *path);

#endif
