/*
 * One reading of the mappings, and who has parts of them without a note: the probe, and
 * the stacks of threads, which the C library maps out of our sight.
 */
#ifndef PROBE_RESOURCES_MAPPING_VIEW_H
#define PROBE_RESOURCES_MAPPING_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/range.h"
#include "probe/reach/maps_text.h"
#include "probe/resources/resources.h"

struct thread_stack {
    uintptr_t thread; /* its pthread_t, which is an address near the stack's end */
    struct resource_note note;
    bool is_probes;
};

/* All arrays are sorted by address. */
struct mapping_view {
    const char *text; /* /proc/self/maps (proc(5)) */
    const struct range *own;
    size_t own_count;
    const struct thread_stack *stacks;
    size_t stack_count;
    struct range here; /* the probe's, with the stack of this reading: it is there for
                          the reply alone. {0, 0}: a thread's stack has it */
    uint32_t begun;    /* probe_resource_now() before the reading */
};

/* Reads it. Returns 0, and then nobody else reads it until it is given back; or -errno.
 */
int probe_mapping_view_take(struct mapping_view *ret_view);
void probe_mapping_view_give(void);

/* Which of the probe's ranges the address is in; or else what is before the next one,
 * up to `end`. Returns whether it is the probe's. */
bool probe_mapping_view_own(const struct mapping_view *view, uintptr_t address,
                            uintptr_t end, struct range *ret_range);

/* The thread whose stack is at the address, in memory up to `end` that nobody else has.
 * Sets where that stack ends. NULL: there is none. */
const struct thread_stack *probe_mapping_view_stack(const struct mapping_view *view,
                                                    struct range range,
                                                    uintptr_t *ret_end);

#endif
