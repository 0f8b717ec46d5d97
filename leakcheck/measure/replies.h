/*
 * What the lab's servers say in JSON: what they hold now (/status), what they
 * can do (/scenarios), what a call left behind (/leak), and why they refused.
 */
#ifndef LEAKCHECK_MEASURE_REPLIES_H
#define LEAKCHECK_MEASURE_REPLIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/failure.h"
#include "base/size.h"
#include "leakcheck/measure/resource.h"

#define REPLY_JSON_MAX MIB /* bytes; a longer one is refused unread */

/* A reply of /status. */
struct status {
    char server[16]; /* "leaky", "fixed"; "" where it doesn't say */
    int64_t pid;     /* UNKNOWN where it doesn't say */
    struct resources now;
    struct resources limits; /* of heap, threads, fds and timers */
    int64_t growing_held;    /* things alive that grow by themselves: see below */
};

enum kind { KIND_PERMANENT, KIND_TEMPORARY, KIND_CHURN };

/* One scenario. All texts are printable ASCII, never NULL, and live in the arena that
 * scenarios_parse was given. */
struct scenario_info {
    const char *name; /* [a-z0-9-], so that it can be part of a path */
    const char *family;
    const char *title;
    const char *story;
    const char *cause;
    const char *fix;
    const char *suspect;  /* "" where the heap profile cannot see it */
    const char *files[2]; /* leaky, fixed: plain relative paths, or "" */
    enum kind kind;
    struct resources leaves; /* of one call with default parameters */
    struct resources holds;  /* RESOURCE_RSS: the stack */
    int64_t allocates_bytes; /* churn: of one call */
    int64_t growth_bytes_per_second;
    int64_t bytes_default; /* UNKNOWN: it has no parameter `bytes` */
    int64_t bytes_min;
};

/* Why a server refused; empty texts where it did not say. */
struct reply_error {
    char code[64];
    char message[200];
    char hint[200];
};

/* The parsers take `length` bytes, which may be hostile, and return 0, -EPROTO with a
 * reason, or -ENOMEM. */

/* Fails unless memory and threads are there; descriptors and timers may be UNKNOWN.
 * `growing` names the scenario whose held things are counted in growing_held; NULL:
 * none. */
int status_parse(struct status *ret_status, const char *text, size_t length,
                 const char *growing, struct failure *failure);

/* The list, in the server's order, in `arena`. */
int scenarios_parse(struct scenario_info **ret_scenarios, size_t *ret_count,
                    struct arena *arena, const char *text, size_t length,
                    struct failure *failure);

/* `declared` of a reply to /leak. */
int leak_parse(struct resources *ret_declared, const char *text, size_t length,
               struct failure *failure);

/* Whatever the text is, *ret_error holds strings afterwards. */
void reply_error_parse(struct reply_error *ret_error, const char *text, size_t length);

#endif
