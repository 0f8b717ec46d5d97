/*
 * Parses the JSON of the lab's servers: what they hold now (/status), which scenarios
 * they have (/scenarios), what a call left behind (/leak), and why they refused.
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

#define REPLY_JSON_MAX MIB /* bytes; a longer reply is refused and not parsed */

/* A reply of /status. */
struct status {
    char server[16]; /* "leaky", "fixed"; "" if there is none */
    int64_t pid;     /* UNKNOWN if there is none */
    struct resources now;
    bool has_mappings; /* the member is there; with null they are not counted now */
    bool has_children;
    struct resources limits; /* of heap, threads, fds and timers */
    int64_t growing_held;    /* things alive that grow by themselves: see
                                status_parse */
};

enum kind { KIND_PERMANENT, KIND_TEMPORARY, KIND_CHURN };

/* One scenario. All texts are printable ASCII and never NULL. They are in the arena of
 * scenarios_parse. */
struct scenario_info {
    const char *name; /* only a-z, 0-9 and '-': it becomes part of a path */
    const char *family;
    const char *title;
    const char *story;
    const char *cause;
    const char *fix;
    const char *suspect;  /* "" if the heap profile cannot show it */
    const char *files[2]; /* leaky, fixed: relative paths without "..", or "" */
    enum kind kind;
    struct resources leaves; /* of one call with default parameters */
    struct resources holds;  /* RESOURCE_RSS: the stack */
    int64_t allocates_bytes; /* churn: of one call */
    int64_t growth_bytes_per_second;
    int64_t bytes_default; /* UNKNOWN: it has no parameter `bytes` */
    int64_t bytes_min;
    int64_t bytes_max;
};

/* What the reply to a call says of its answer. */
enum answer_kind {
    ANSWER_MISSING,    /* nothing: its server is older, or not the lab's */
    ANSWER_UNFINISHED, /* null: the call got stuck before its work was done */
    ANSWER_GIVEN,
};

#define ANSWER_MAX 256 /* with the '\0'; the lab's answers are shorter */

struct answer {
    enum answer_kind kind;
    char text[ANSWER_MAX]; /* printable ASCII; "" if none is given */
};

/* Why a server refused a request; a text is "" if the reply does not have it. */
struct reply_error {
    char code[64];
    char message[200];
    char hint[200];
};

/* The parsers read `length` bytes, which are not trusted. They return 0, -EPROTO with a
 * reason, or -ENOMEM. */

/* Fails if memory or threads are missing; descriptors and timers may be UNKNOWN.
 * `growing` is the name of the scenario whose `held` goes to growing_held; NULL:
 * none. */
int status_parse(struct status *ret_status, const char *text, size_t length,
                 const char *growing, struct failure *failure);

/* Parses the list of scenarios, in the server's order; `arena` owns it. */
int scenarios_parse(struct scenario_info **ret_scenarios, size_t *ret_count,
                    struct arena *arena, const char *text, size_t length,
                    struct failure *failure);

/* Parses `declared` of a reply to /leak. Without it, *ret_declared becomes `fallback`;
 * NULL: that is a failure. */
int leak_parse(struct resources *ret_declared, const struct resources *fallback,
               const char *text, size_t length, struct failure *failure);

/* Parses `answer` of a reply to /leak. It fails if that is neither null nor a short
 * text: two answers that are cut or changed could look equal. */
int answer_parse(struct answer *ret_answer, const char *text, size_t length,
                 struct failure *failure);

/* Parses an error reply. Cannot fail: texts that are missing become "". */
void reply_error_parse(struct reply_error *ret_error, const char *text, size_t length);

#endif
