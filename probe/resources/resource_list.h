/*
 * What the kernel shows of one kind of resource at one moment, by the stack that made
 * it: profile.proto, and a text for people.
 */
#ifndef PROBE_RESOURCES_RESOURCE_LIST_H
#define PROBE_RESOURCES_RESOURCE_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "probe/resources/resources.h"

#define RESOURCE_VALUES 2
#define RESOURCE_EXAMPLES 10 /* of each group, in the text */

enum resource_maker {
    MADE_BY_STACK, /* `note` has it */
    MADE_UNSEEN,
    MADE_BY_PROBE, /* the probe's own */
    MADE_AT_START, /* the main thread, and what came with the program */
};

/* One thing: a descriptor, a thread, a timer, a mapping, a child. */
struct resource_item {
    enum resource_maker maker; /* MADE_BY_STACK without a stack is MADE_UNSEEN */
    struct resource_note note;
    const char *kind; /* a static text: "file", "socket" */
    int64_t values[RESOURCE_VALUES];
    bool is_part; /* it belongs to another item, which is counted */
};

/* Lives in memory that the caller owns; { 0 } is empty. */
struct resource_list {
    struct buffer groups;   /* same maker, stack and kind */
    struct buffer examples; /* texts, each ended by '\0' */
    struct buffer remarks;  /* lines for the head of the text, without "# " */
    /* Sums of what was added, also of what is left out for its age, whatever the sign:
     */
    int64_t totals[RESOURCE_VALUES];
    int64_t unseen[RESOURCE_VALUES];
    int64_t probes[RESOURCE_VALUES];
    int64_t older_ns; /* set by the caller: younger items are left out; 0: none are. An
                         item whose age is not known stays */
    bool plain;       /* set by the caller: examples are not wanted */
    int sign;         /* set by the caller: -1 subtracts; 0 is the same as 1 */
    int error;        /* -ENOMEM: not complete */
};

/* What a profile is called, and counts. */
struct resource_subject {
    const char *name; /* of the profile: "fds" */
    struct {
        const char *type;      /* "fds" */
        const char *unit;      /* "count" */
    } values[RESOURCE_VALUES]; /* the second type may be NULL */
    /* Adds what there is now. Returns 0 or -errno. */
    int (*list)(struct resource_list *list);
};

/* Adds a thing. `example` describes it in the text: "7 /tmp/x"; NULL: nothing does. */
void probe_resource_list_add(struct resource_list *list,
                             const struct resource_item *item, const char *example);

/* Before a second reading into the same list: the remarks and sums of the first one go.
 */
void probe_resource_list_reread(struct resource_list *list);

/* Appends profile.proto, with the kind as a label. Returns 0 or -ENOMEM. */
int probe_resource_list_proto(const struct resource_list *list,
                              const struct resource_subject *subject,
                              int64_t duration_ns, struct buffer *ret_profile);

/* Appends the text: "fds profile: total 7", then the groups, largest first. go tool
 * pprof reads it as a count profile. Returns 0 or -ENOMEM. */
int probe_resource_list_text(struct resource_list *list,
                             const struct resource_subject *subject,
                             struct buffer *ret_text);

/* The stack that has made most of them, and how many items of one kind those are.
 * Returns false if none was made by a stack. */
bool probe_resource_list_largest(const struct resource_list *list, uint32_t *ret_stack,
                                 int64_t *ret_items);

void probe_resource_list_release(struct resource_list *list);

/* The subjects. */
extern const struct resource_subject probe_fds;          /* fds_list.c */
extern const struct resource_subject probe_threads_made; /* threads_list.c */
extern const struct resource_subject probe_timers;       /* timers_list.c */
extern const struct resource_subject probe_mappings;     /* mappings_list.c */
extern const struct resource_subject probe_children;     /* children_list.c */

#endif
