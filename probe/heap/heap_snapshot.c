/*
 * A snapshot's stacks have addresses inside the calls; the text has return addresses,
 * which are one higher.
 */
#include "probe/heap/heap_snapshot.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "probe/proto/profile_proto.h"
#include "probe/stacks/maps.h"
#include "probe/symbols/frame_text.h"
#include "probe/symbols/symbols.h"

#define LOST_TEXT_SIZE 120 /* bytes */

static bool is_gperftools(const struct heap_snapshot *snapshot)
{
    return snapshot->text != NULL;
}

static const char *lost_text(const struct heap_snapshot *snapshot, char *to)
{
    snprintf(to, LOST_TEXT_SIZE,
             "%llu blocks were not noted, or not seen to go: memory was "
             "short, or the recorder was busy.",
             (unsigned long long)snapshot->lost);
    return to;
}

/* ---- profile.proto ---- */

/* Writes the recorder's stacks. `duration_ns` is 0 for a profile of one moment. */
static int stacks_proto(const struct heap_snapshot *snapshot, int64_t duration_ns,
                        enum heap_view view, struct buffer *ret_profile)
{
    char lost[LOST_TEXT_SIZE];
    struct profile_description description = probe_heap_description(view);
    description.period = snapshot->period;
    description.duration_ns = duration_ns;
    if (snapshot->note != NULL) {
        description.comment = snapshot->note;
    } else if (snapshot->lost > 0) {
        description.comment = lost_text(snapshot, lost);
    }
    return probe_profile_write(&snapshot->stacks, &description, ret_profile);
}

int probe_heap_snapshot_proto(const struct heap_snapshot *snapshot, enum heap_view view,
                              struct buffer *ret_profile)
{
    if (is_gperftools(snapshot)) {
        return probe_heap_profile_proto(snapshot->text, view, ret_profile);
    }
    return stacks_proto(snapshot, 0, view, ret_profile);
}

int probe_heap_snapshot_difference(const struct heap_snapshot *before,
                                   struct heap_snapshot *after, int64_t duration_ns,
                                   enum heap_view view, struct buffer *ret_profile)
{
    if (is_gperftools(before) && is_gperftools(after)) {
        return probe_heap_profile_difference(before->text, after->text, duration_ns,
                                             view, ret_profile);
    }
    int error = probe_heap_stacks_subtract(&after->stacks, &before->stacks);
    return error != 0 ? error : stacks_proto(after, duration_ns, view, ret_profile);
}

/* ---- gperftools' text ---- */

/* "in-use objects: bytes [allocated objects: bytes] @", as gperftools writes it. */
static void values_write(struct buffer *text, const int64_t values[STACK_VALUES])
{
    buffer_printf(
        text, "%6lld: %8lld [%6lld: %8lld] @", (long long)values[HEAP_INUSE_OBJECTS],
        (long long)values[HEAP_INUSE_SPACE], (long long)values[HEAP_ALLOC_OBJECTS],
        (long long)values[HEAP_ALLOC_SPACE]);
}

static void header_write(const struct heap_snapshot *snapshot, struct buffer *text)
{
    int64_t totals[STACK_VALUES] = {0};
    for (size_t i = 0; i < snapshot->stacks.count; i++) {
        const struct stack *stack = probe_stacks_at(&snapshot->stacks, i);
        for (size_t j = 0; j < STACK_VALUES; j++) {
            totals[j] += stack->values[j];
        }
    }
    buffer_text(text, "heap profile: ");
    values_write(text, totals);
    if (snapshot->period == 1) {
        buffer_text(text, " heapprofile\n");
    } else {
        buffer_printf(text, " heap_v2/%lld\n", (long long)snapshot->period);
    }
    char lost[LOST_TEXT_SIZE];
    if (snapshot->lost > 0) {
        buffer_printf(text, "# %s\n", lost_text(snapshot, lost));
    }
}

static int by_bytes_in_use(const void *left, const void *right)
{
    const struct stack *a = *(const struct stack *const *)left;
    const struct stack *b = *(const struct stack *const *)right;
    int64_t x = a->values[HEAP_INUSE_SPACE];
    int64_t y = b->values[HEAP_INUSE_SPACE];
    if (x != y) {
        return x > y ? -1 : 1;
    }
    return a < b ? -1 : 1; /* equal ones keep their order */
}

/* Appends pointers to all stacks that were ever allocated by, in the order of the text.
 * Returns how many; an error is in the buffer. */
static size_t stacks_sort(const struct stacks *stacks, struct buffer *ret_order)
{
    for (size_t i = 0; i < stacks->count; i++) {
        const struct stack *stack = probe_stacks_at(stacks, i);
        if (stack->values[HEAP_ALLOC_OBJECTS] != 0) {
            buffer_append(ret_order, &stack, sizeof(const struct stack *));
        }
    }
    if (ret_order->error != 0 || ret_order->length == 0) {
        return 0;
    }
    size_t count = ret_order->length / sizeof(const struct stack *);
    qsort(ret_order->data, count, sizeof(const struct stack *), by_bytes_in_use);
    return count;
}

static void stack_write(const struct stacks *stacks, const struct stack *stack,
                        bool comments, struct buffer *text)
{
    const uintptr_t *frames = probe_stacks_frames(stacks, stack);
    values_write(text, stack->values);
    for (size_t i = 0; i < stack->depth; i++) {
        buffer_printf(text, " 0x%08llx", (unsigned long long)frames[i] + 1);
    }
    buffer_text(text, "\n");
    for (size_t i = 0; i < stack->depth && comments; i++) {
        probe_frame_comment(text, frames[i] + 1, frames[i]);
    }
}

static int mappings_write(struct buffer *text)
{
    struct maps maps = {0};
    int error = probe_maps_read(&maps);
    if (error == 0) {
        buffer_text(text, "\nMAPPED_LIBRARIES:\n");
        buffer_append(text, maps.text.data, maps.text.length);
    }
    probe_maps_release(&maps);
    return error;
}

static int stacks_text(const struct heap_snapshot *snapshot, bool comments,
                       struct buffer *text)
{
    struct buffer order = {0};
    size_t count = stacks_sort(&snapshot->stacks, &order);
    int error = order.error;
    if (error == 0) {
        const struct stack *const *stack = (const void *)order.data;
        header_write(snapshot, text);
        for (size_t i = 0; i < count; i++) {
            stack_write(&snapshot->stacks, stack[i], comments, text);
        }
        error = mappings_write(text);
    }
    buffer_release(&order);
    return error != 0 ? error : text->error;
}

int probe_heap_snapshot_text(const struct heap_snapshot *snapshot,
                             struct buffer *ret_text)
{
    if (is_gperftools(snapshot)) {
        buffer_text(ret_text, snapshot->text);
        return ret_text->error;
    }
    return stacks_text(snapshot, false, ret_text);
}

int probe_heap_snapshot_comments(const struct heap_snapshot *snapshot,
                                 struct buffer *ret_text)
{
    if (is_gperftools(snapshot)) {
        return probe_heap_profile_text(snapshot->text, ret_text);
    }
    probe_symbols_load(); /* errors are ignored: bare addresses are still useful */
    return stacks_text(snapshot, true, ret_text);
}

/* ---- Sums ---- */

static void in_use_sum(const struct stacks *stacks, struct heap_sums *sums)
{
    *sums = (struct heap_sums){0};
    for (size_t i = 0; i < stacks->count; i++) {
        const struct stack *stack = probe_stacks_at(stacks, i);
        sums->objects += stack->values[HEAP_INUSE_OBJECTS];
        sums->bytes += stack->values[HEAP_INUSE_SPACE];
        sums->stacks += stack->values[HEAP_INUSE_OBJECTS] != 0;
    }
}

int probe_heap_snapshot_sum(const struct heap_snapshot *snapshot,
                            struct heap_sums *ret_sums)
{
    if (!is_gperftools(snapshot)) {
        in_use_sum(&snapshot->stacks, ret_sums);
        return 0;
    }
    struct heap_text parsed;
    int error = probe_heap_text_parse(snapshot->text, &parsed);
    if (error == 0) {
        in_use_sum(&parsed.stacks, ret_sums);
        /* Those of the header: they count the stacks that were cut, too. */
        ret_sums->objects = parsed.totals[HEAP_INUSE_OBJECTS];
        ret_sums->bytes = parsed.totals[HEAP_INUSE_SPACE];
        probe_heap_text_release(&parsed);
    }
    return error;
}

/* ---- Its memory ---- */

static void text_free(struct heap_snapshot *snapshot)
{
    if (snapshot->kept.data == NULL) {
        free(snapshot->text);
    }
    buffer_release(&snapshot->kept);
    snapshot->text = NULL;
}

int probe_heap_snapshot_leave_heap(struct heap_snapshot *snapshot)
{
    if (!is_gperftools(snapshot)) {
        return 0; /* the recorder's memory is not malloc's */
    }
    struct buffer kept = {0};
    buffer_text(&kept, snapshot->text);
    if (kept.error != 0) {
        buffer_release(&kept);
        return -ENOMEM;
    }
    text_free(snapshot);
    snapshot->kept = kept;
    snapshot->text = kept.data;
    return 0;
}

void probe_heap_snapshot_release(struct heap_snapshot *snapshot)
{
    text_free(snapshot);
    probe_stacks_release(&snapshot->stacks);
}
