/*
 * A scenario is one kind of leak: a pair of files with one name, leaky/<name>.c (the
 * bug) and fixed/<name>.c (the same program, fixed). Each file ends with a
 * descriptor, `const struct scenario <name>_scenario`, which is the same in both.
 *
 * To add a scenario: write the two files, and add one line to SCENARIO_LIST. README,
 * "Adding a scenario", says how it is checked, and what the tests want besides.
 */
#ifndef LAB_SCENARIO_H
#define LAB_SCENARIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/context.h"

/* All scenarios, in the order in which they are listed and run. A name here is the
 * file's name without ".c"; routes and JSON have '-' instead of '_'. */
#define SCENARIO_LIST(X)                                                               \
    X(thread_loop)                                                                     \
    X(thread_wait)                                                                     \
    X(thread_ignored_exit)                                                             \
    X(lock_never_released)                                                             \
    X(lock_deadlock)                                                                   \
    X(channel_no_receiver)                                                             \
    X(channel_never_closed)                                                            \
    X(channel_nil)                                                                     \
    X(channel_one_receiver)                                                            \
    X(channel_backlog)                                                                 \
    X(global_cache)                                                                    \
    X(global_list)                                                                     \
    X(slice_prefix)                                                                    \
    X(slice_return)                                                                    \
    X(slice_tail)                                                                      \
    X(string_prefix)                                                                   \
    X(slice_lost_pointers)                                                             \
    X(http_body)                                                                       \
    X(file_unclosed)                                                                   \
    X(database_statement)                                                              \
    X(ticker_unstopped)                                                                \
    X(ticker_many)                                                                     \
    X(finalizer_cycle)                                                                 \
    X(loop_defer)                                                                      \
    X(array_by_value)                                                                  \
    X(interface_struct)                                                                \
    X(interface_list)                                                                  \
    X(cstring_argument)                                                                \
    X(buffer_churn)

enum scenario_kind {
    SCENARIO_PERMANENT, /* what a call leaves stays */
    SCENARIO_TEMPORARY, /* held during the call, released at its end */
    SCENARIO_CHURN,     /* allocates fast, keeps nothing */
};

/* One call, as the scenario sees it. Everything in it belongs to the caller and is
 * valid until `run` returns: a scenario copies what it keeps. */
struct scenario_request {
    const char *id;           /* 1 to 128 printable bytes, chosen by the client */
    size_t bytes;             /* main size, within the descriptor's bounds */
    unsigned hold_ms;         /* how long a temporary scenario stays at its peak */
    const char *upstream_url; /* "http://127.0.0.1:41234", without a last slash */
    const char *directory;    /* private to this process, writable, for its files */
    struct context *context;  /* done when the server stops: waits end with it */
};

/* What the work of one call came to, in a few words. Both halves answer alike. The
 * answer depends on the request's id and bytes alone, and it is read back through what
 * the scenario keeps. So a fix that does less of the work is found out. */
struct scenario_answer {
    char text[64]; /* printable ASCII; "" while the work is not finished */
};

/* Sets the answer's text, as printf does. What does not fit is cut. */
void scenario_answer_set(struct scenario_answer *answer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* A number that stands for these bytes, for an answer: their FNV-1a hash (RFC 9923). */
uint32_t scenario_digest(const void *data, size_t length);

/* An amount of every resource that the lab counts. Heap is counted in blocks of the
 * request's main size, so the amount in bytes depends on the request. Only what the
 * scenario's own calls of malloc take counts as its heap. */
struct scenario_amount {
    unsigned blocks;    /* heap, in blocks of request.bytes */
    size_t extra_bytes; /* its own heap besides the blocks, in bytes */
    /* The most heap that libraries take for themselves, in bytes; also the C library's
     * for an fopen or an opendir. It depends on their versions, so it is used for the
     * guard rails only. */
    size_t library_bytes;
    unsigned stack_blocks; /* stack, in blocks of request.bytes */
    unsigned threads;
    unsigned fds;    /* descriptors */
    unsigned timers; /* POSIX timers */
};

/* What a scenario is. 0 and NULL mean "none" or "nothing to do". */
struct scenario {
    const char *name;   /* as in routes: "slice-prefix" */
    const char *family; /* as in routes: "retained-slices" */
    const char *title;  /* a few words for a heading */
    enum scenario_kind kind;
    const char *story;   /* what the program does, and for whom */
    const char *symptom; /* what can be seen from outside */
    const char *cause;   /* why the leaky half leaks */
    const char *fix;     /* what the fixed half does instead */
    const char *find_it; /* where to look: the command, and what it shows */
    const char *file;    /* of an exercise: its source; NULL: the pair's two files */

    /* The main size. Every scenario has one: tests call it with several sizes. */
    size_t bytes_default; /* request.bytes if the client gives none */
    size_t bytes_min;     /* at least 1 */
    size_t bytes_max;
    const char *bytes_meaning; /* what the main size measures */

    struct scenario_amount leaves; /* what one leaky call leaves for good */
    struct scenario_amount holds;  /* what one leaky call holds until it ends */
    unsigned working_threads;      /* more threads that a call of either half uses */
    unsigned churn_blocks;         /* blocks that one leaky call allocates and frees */
    unsigned growth_blocks;        /* blocks per second that each leaked thread adds */

    /* The function that the heap profile must show as the cause; NULL if the heap
     * profile shows nothing. */
    const char *suspect;

    /* Runs one call. Returns 0, or -errno after releasing everything of this call.
     * `answer` is empty at first. It belongs to the caller and is valid until `run`
     * returns. The leaky half leaves it empty if it gets stuck before its work is done.
     * Called from many threads at once. */
    int (*run)(const struct scenario_request *request, struct scenario_answer *answer);

    /* How many things that earlier calls left are still alive. */
    size_t (*held)(void);

    /* Releases what can still be released, without waiting for leaked threads. Called
     * once, when the server stops and no `run` is active. */
    void (*stop)(void);
};

/* A leaked thread calls these before and after a malloc of `bytes`. The guard rails
 * checked its request long ago and did not know of this memory. If enter returns false,
 * the heap ceiling would be passed, and the thread does not allocate. After true, the
 * thread calls leave, even if malloc failed. */
bool scenario_growth_enter(size_t bytes);
void scenario_growth_leave(size_t bytes);

/* Sets the functions that do the work of these two: the server's guard rails, which
 * scenarios need not know. Call it once, before any scenario runs. */
void scenario_growth_guard(bool (*enter)(size_t bytes), void (*leave)(size_t bytes));

#define SCENARIO_DECLARE(name) extern const struct scenario name##_scenario;
SCENARIO_LIST(SCENARIO_DECLARE)

/* The list as an array, in the order of SCENARIO_LIST (common/scenario_list.c). */
extern const struct scenario *const scenarios[];
extern const size_t scenario_count;

/* The scenario with this name; NULL if there is none. */
const struct scenario *scenario_find(const char *name);

/* The index of a scenario in `scenarios`. */
size_t scenario_index(const struct scenario *scenario);

/* Whether a scenario belongs to this family. */
bool scenario_family_exists(const char *family);

/* The name of the scenario or family that is most similar to `name`; never NULL. */
const char *scenario_nearest(const char *name);

/* How many things that earlier calls left are still alive: `held`, or 0 without it. */
size_t scenario_held(const struct scenario *scenario);

/* "permanent", "temporary" or "churn". */
const char *scenario_kind_name(enum scenario_kind kind);

/* The heap bytes of `amount` when the main size is `bytes`: those of the scenario's own
 * code, and the most with the libraries' share. */
size_t scenario_heap_bytes(const struct scenario_amount *amount, size_t bytes);
size_t scenario_heap_bytes_most(const struct scenario_amount *amount, size_t bytes);

#endif
