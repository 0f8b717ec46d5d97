/*
 * The text has a header, one line for each stack, an empty line, and the list of
 * mappings. A stack's line is "in-use objects: bytes [allocated objects: bytes] @
 * addresses".
 */
#include "probe/heap/heap_tidy.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"

struct stack_line {
    const char *start;
    const char *frames; /* after the '@' */
    const char *end;    /* after the newline */
    long long in_use;   /* bytes */
};

/* Parses the line at `start`; false if it is not a stack's line. */
static bool line_read(const char *start, struct stack_line *ret_line)
{
    const char *newline = strchr(start, '\n');
    const char *at = strchr(start, '@');
    const char *colon = strchr(start, ':');
    if (newline == NULL || at == NULL || at > newline || colon == NULL || colon > at) {
        return false;
    }
    *ret_line = (struct stack_line){
        .start = start,
        .frames = at + 1,
        .end = newline + 1,
        .in_use = strtoll(colon + 1, NULL, 10),
    };
    return true;
}

/* Skips spaces and returns the end of the next frame, or the newline if there is no
 * further frame. */
static const char *frame_end(const char *frame)
{
    frame += strspn(frame, " ");
    return frame + strcspn(frame, " \n");
}

/* How many frames at the start of the stack are in the allocator's code. -1 if all are:
 * such a stack says nothing about the others. */
static int frames_of_allocator(const struct stack_line *line, struct range allocator)
{
    const char *frame = line->frames;
    for (int count = 0;; count++) {
        frame += strspn(frame, " ");
        if (*frame == '\n') {
            return -1;
        }
        if (!range_has(allocator, strtoull(frame, NULL, 16))) {
            return count;
        }
        frame = frame_end(frame);
    }
}

/* Skips the frames that are in the range. */
static const char *frames_skip(const char *frame, struct range left_out)
{
    frame += strspn(frame, " ");
    while (*frame != '\n' && range_has(left_out, strtoull(frame, NULL, 16))) {
        frame = frame_end(frame);
        frame += strspn(frame, " ");
    }
    return frame;
}

/* Whether a frame of the stack is in the range. */
static bool has_frame(const struct stack_line *line, struct range left_out)
{
    const char *first = line->frames + strspn(line->frames, " ");
    for (const char *frame = first; *frame != '\n'; frame = frame_end(frame)) {
        if (range_has(left_out, strtoull(frame, NULL, 16))) {
            return true;
        }
    }
    return false;
}

static int by_bytes_in_use(const void *left, const void *right)
{
    const struct stack_line *a = left;
    const struct stack_line *b = right;
    if (a->in_use != b->in_use) {
        return a->in_use > b->in_use ? -1 : 1;
    }
    return a->start < b->start ? -1 : 1; /* equal ones keep their order */
}

/* The lines of a text, and what to change in them. */
struct plan {
    struct buffer lines; /* of struct stack_line */
    size_t count;
    const char *start; /* of the first stack's line */
    const char *end;   /* after the last stack's line */
    int extra;         /* frames to remove from the start of each stack; -1: not known
                          yet */
    bool sorted;       /* the lines are in order already */
    bool has_calls;    /* frames are to be removed elsewhere, too */
};

static void plan_make(struct plan *plan, const char *text, struct range allocator,
                      struct range calls)
{
    const char *header = strchr(text, '\n');
    plan->start = plan->end = header == NULL ? text + strlen(text) : header + 1;
    plan->extra = -1;
    plan->sorted = true;
    struct stack_line line;
    long long last = 0;
    while (*plan->end != '\n' && line_read(plan->end, &line)) {
        int own = frames_of_allocator(&line, allocator);
        if (own >= 0 && (plan->extra < 0 || own < plan->extra)) {
            plan->extra = own;
        }
        plan->sorted = plan->sorted && (plan->count == 0 || line.in_use <= last);
        plan->has_calls = plan->has_calls || has_frame(&line, calls);
        last = line.in_use;
        buffer_append(&plan->lines, &line, sizeof(line));
        plan->count++;
        plan->end = line.end;
    }
}

static void line_write(struct buffer *buffer, const struct stack_line *line, int extra,
                       struct range calls)
{
    const char *frame = line->frames;
    for (int i = 0; i < extra; i++) {
        frame = frame_end(frame);
    }
    buffer_append(buffer, line->start, (size_t)(line->frames - line->start));
    for (frame = frames_skip(frame, calls); *frame != '\n';
         frame = frames_skip(frame, calls)) {
        const char *end = frame_end(frame);
        buffer_text(buffer, " ");
        buffer_append(buffer, frame, (size_t)(end - frame));
        frame = end;
    }
    buffer_text(buffer, "\n");
}

int probe_heap_tidy(char *text, struct range allocator, struct range calls)
{
    struct plan plan = {.count = 0};
    struct buffer tidy = {0};
    plan_make(&plan, text, allocator, calls);
    int error = plan.lines.error;
    if (error == 0 && (!plan.sorted || plan.extra > 0 || plan.has_calls)) {
        struct stack_line *lines = (struct stack_line *)(void *)plan.lines.data;
        qsort(lines, plan.count, sizeof(*lines), by_bytes_in_use);
        for (size_t i = 0; i < plan.count; i++) {
            line_write(&tidy, &lines[i], plan.extra, calls);
        }
        buffer_text(&tidy, plan.end);
        error = tidy.error;
        if (error == 0) {
            /* It fits: no line became longer. */
            memcpy(text + (plan.start - text), tidy.data, tidy.length + 1);
        }
    }
    buffer_release(&plan.lines);
    buffer_release(&tidy);
    return error;
}
