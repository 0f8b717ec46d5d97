/*
 * The mappings: the lines of /proc/self/maps (proc(5)), in one reading. The kernel
 * joins neighbours that are alike, so one line may be of several makers. Then its bytes
 * are split; it counts for the one with most of them. Only the stack of the reply
 * itself is left out: it is gone when the reply is read.
 */
#include <stdio.h>
#include <string.h>

#include "probe/reach/heap_mappings.h"
#include "probe/recorder/recorder.h"
#include "probe/resources/libc_heap.h"
#include "probe/resources/mapping_kind.h"
#include "probe/resources/mapping_notes.h"
#include "probe/resources/mapping_view.h"
#include "probe/resources/resource_list.h"

#define EXAMPLE_BYTES 512
/* What may not be accessed, directly below a stack, is its guard. If there is more than
 * this, most of it is something else. */
#define GUARD_BYTES_MOST ((uintptr_t)64 * 1024)
#define PAGE ((uintptr_t)4096)
#define THREAD_STACK "thread stack"
#define HEAP "heap"
#define ANONYMOUS "anonymous"

/* ---- Who made it ---- */

/* A part of a line of one maker. */
struct part {
    struct range range;
    struct resource_item item;
};

static void maker_set(struct resource_item *item, struct resource_note note)
{
    item->maker = note.stack == MAPPING_BY_PROBE   ? MADE_BY_PROBE
                  : note.stack == MAPPING_AT_START ? MADE_AT_START
                                                   : MADE_BY_STACK;
    item->note = note;
}

/* What the C library has mapped for a thread. */
static void stack_find(const struct mapping_view *view, struct part *part)
{
    const struct thread_stack *stack =
        probe_mapping_view_stack(view, part->range, &part->range.end);
    if (stack != NULL) {
        part->item.kind = THREAD_STACK;
        part->item.maker = stack->is_probes ? MADE_BY_PROBE : MADE_BY_STACK;
        part->item.note = stack->note;
    }
}

/* What an allocator has mapped for itself is the heap, as far as it is that. */
static void heap_find(struct part *part)
{
    struct range heap = probe_heap_mapping_behind(part->range.start);
    if (heap.end != 0 && heap.start < part->range.end) {
        uintptr_t end = heap.start > part->range.start ? heap.start : heap.end;
        part->range.end = end < part->range.end ? end : part->range.end;
    } else {
        heap.start = UINTPTR_MAX;
    }
    if (heap.start <= part->range.start) {
        part->item.kind = HEAP;
        return;
    }
    uintptr_t end = probe_libc_heap_end(part->range);
    if (end > part->range.start) {
        part->range.end = end;
        part->item.kind = HEAP;
        part->item.maker = MADE_UNSEEN;
    }
}

/* Who made what is at `address`, up to where that changes; at most up to `end`. */
static struct part part_at(const struct mapping_view *view, uintptr_t address,
                           uintptr_t end, const char *kind)
{
    struct part part = {.item = {.maker = MADE_UNSEEN, .kind = kind}};
    struct range_note note;
    if (probe_mapping_view_own(view, address, end, &part.range)) {
        part.item.maker = MADE_BY_PROBE;
        return part;
    }
    bool noted = probe_mapping_find(address, &note);
    bool here = noted && note.range.start <= address;
    uintptr_t change = !noted ? end : here ? note.range.end : note.range.start;
    part.range.end = change < part.range.end ? change : part.range.end;
    /* A note from after the reading is of another mapping. */
    if (here && note.note.made <= view->begun) {
        maker_set(&part.item, note.note);
    }
    /* What came with the program may be gone: the C library unmaps large blocks unseen,
     * and may have mapped a stack there. */
    if (part.item.maker == MADE_UNSEEN || part.item.maker == MADE_AT_START) {
        stack_find(view, &part);
    }
    bool has_maker =
        part.item.maker == MADE_BY_STACK || part.item.maker == MADE_BY_PROBE;
    if (!has_maker && strcmp(part.item.kind, ANONYMOUS) == 0) {
        heap_find(&part);
    }
    return part;
}

/* The guard below a stack belongs to it. `line` is what may not be accessed, `next` is
 * behind it in the text. */
static void guard_find(const struct mapping_view *view, const struct maps_line *line,
                       const char *next, struct part *part)
{
    struct maps_line above;
    if (part->item.maker != MADE_UNSEEN || part->range.end != line->range.end ||
        probe_maps_line_read(next, &above) == NULL ||
        above.range.start != line->range.end || above.path_bytes > 0) {
        return;
    }
    struct part stack = part_at(view, above.range.start, above.range.end, "");
    uintptr_t bytes = part->range.end - part->range.start;
    if (strcmp(stack.item.kind, THREAD_STACK) != 0) {
        return;
    }
    if (bytes > GUARD_BYTES_MOST) {
        part->range.end -= PAGE;
    } else {
        part->item = stack.item;
    }
}

/* "7f12c4000000-7f12c4021000 rw-p 132 KiB /path"; "8 of 132 KiB" if it is a part. */
static void part_add(struct resource_list *list, const struct maps_line *line,
                     struct part *part, bool counts)
{
    char example[EXAMPLE_BYTES];
    char share[32] = "";
    size_t whole = line->range.end - line->range.start;
    size_t bytes = part->range.end - part->range.start;
    part->item.values[0] = counts ? 1 : 0;
    part->item.values[1] = (int64_t)bytes;
    part->item.is_part = !counts;
    if (bytes != whole) {
        snprintf(share, sizeof(share), "%zu of ", bytes / 1024);
    }
    snprintf(example, sizeof(example), "%lx-%lx %.4s %s%zu KiB%s%.*s",
             (unsigned long)line->range.start, (unsigned long)line->range.end,
             line->access, share, whole / 1024, line->path_bytes > 0 ? " " : "",
             (int)line->path_bytes, line->path);
    probe_resource_list_add(list, &part->item, example);
}

/* Adds a line, whose next one is at `next` in the text. */
static void line_add(struct resource_list *list, const struct mapping_view *view,
                     const struct maps_line *line, const char *next,
                     struct resource_item item)
{
    bool is_none = line->access[0] == '-' && line->path_bytes == 0;
    struct part largest = {0};
    struct part part = {.range = line->range, .item = item};
    for (uintptr_t at = line->range.start; at < line->range.end; at = part.range.end) {
        if (item.maker == MADE_UNSEEN) {
            part = part_at(view, at, line->range.end, item.kind);
        }
        if (is_none) {
            guard_find(view, line, next, &part);
        }
        if (part.range.start >= view->here.start && part.range.end <= view->here.end) {
            continue;
        }
        struct part smaller = part;
        if (part.range.end - part.range.start >
            largest.range.end - largest.range.start) {
            smaller = largest;
            largest = part;
        }
        if (smaller.range.end != 0) {
            part_add(list, line, &smaller, false);
        }
    }
    if (largest.range.end != 0) {
        part_add(list, line, &largest, true);
    }
}

/* ---- All of them ---- */

/* Finds the file of this code, if that is the library for other programs. Returns
 * whether it is. */
static bool own_file_find(const char *text, struct maps_line *ret_line)
{
    uintptr_t here = (uintptr_t)own_file_find;
    while (probe_recorder_skipped(&here, 1) == 1 &&
           (text = probe_maps_line_read(text, ret_line)) != NULL) {
        if (range_has(ret_line->range, here)) {
            return true;
        }
    }
    return false;
}

static void lines_add(struct resource_list *list, const struct mapping_view *view)
{
    struct maps_line own;
    struct maps_line file = {.path = ""}; /* the first line of a file */
    struct maps_line line;
    bool is_library = own_file_find(view->text, &own);
    bool is_code = false;
    uintptr_t end = 0; /* of the line before */
    const char *next = view->text;
    while ((next = probe_maps_line_read(next, &line)) != NULL) {
        probe_mapping_sweep((struct range){end, line.range.start}, view->begun);
        end = line.range.end;
        if (!probe_mapping_same_file(&line, &file)) {
            file = line;
            is_code = probe_mapping_is_code(&line, next);
        }
        bool is_own = is_library && probe_mapping_same_file(&line, &own);
        const struct resource_item item = {
            .maker = is_own                            ? MADE_BY_PROBE
                     : probe_mapping_is_kernels(&line) ? MADE_AT_START
                                                       : MADE_UNSEEN,
            .kind = probe_mapping_kind(&line, is_code),
        };
        line_add(list, view, &line, next, item);
    }
}

static void remark(struct resource_list *list)
{
    buffer_printf(&list->remarks,
                  "the kernel lists %lld; %lld made unseen, %lld the probe's own",
                  (long long)list->totals[0], (long long)list->unseen[0],
                  (long long)list->probes[0]);
    if (probe_mapping_missed() > 0) {
        buffer_printf(&list->remarks, "; %llu could not be noted",
                      (unsigned long long)probe_mapping_missed());
    }
}

static int mappings_list(struct resource_list *list)
{
    struct mapping_view view;
    int error = probe_mapping_view_take(&view);
    if (error == 0) {
        lines_add(list, &view);
        remark(list);
        probe_mapping_view_give();
    }
    return error;
}

/* Large blocks that are there already are left out: the C library unmaps them unseen,
 * and maps others there. They tell themselves what they are (heap_find). */
static void start_note(struct range range, bool is_anonymous)
{
    uintptr_t end;
    while (is_anonymous && range.start < range.end &&
           (end = probe_libc_heap_end(range)) > range.start) {
        range.start = end;
    }
    if (range.start < range.end) {
        probe_mapping_at_start(range);
    }
}

void probe_mapping_notes_start(void)
{
    struct mapping_view view;
    struct maps_line line;
    probe_mapping_reserve();
    if (probe_mapping_view_take(&view) != 0) {
        return;
    }
    /* The heap grows later. */
    const char *next = view.text;
    while ((next = probe_maps_line_read(next, &line)) != NULL) {
        if (!probe_mapping_is_kernels(&line) && !probe_mapping_is_brk(&line)) {
            start_note(line.range, line.path_bytes == 0);
        }
    }
    probe_mapping_view_give();
}

const struct resource_subject probe_mappings = {
    .name = "mmaps",
    .values = {{"mappings", "count"}, {"space", "bytes"}},
    .list = mappings_list,
};
