#include "leakcheck/judge/losses.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "base/amount.h"
#include "base/clock.h"
#include "leakcheck/measure/inlined.h"

/* The order of texts; NULL is the first. */
static int text_compare(const char *left, const char *right)
{
    return strcmp(left == NULL ? "" : left, right == NULL ? "" : right);
}

static int place_compare(const struct frame *left, const struct frame *right)
{
    if (left == NULL || right == NULL) {
        return (left != NULL) - (right != NULL);
    }
    int order = text_compare(left->file, right->file);
    if (order == 0) {
        order = (left->line > right->line) - (left->line < right->line);
    }
    return order != 0 ? order : text_compare(left->function, right->function);
}

/* Direct ones first, then by place: those to be joined are neighbours. */
static int by_place(const void *left, const void *right)
{
    const struct loss *a = left;
    const struct loss *b = right;
    return a->direct != b->direct ? (a->direct ? -1 : 1)
                                  : place_compare(a->frame, b->frame);
}

static int by_size(const void *left, const void *right)
{
    const struct loss *a = left;
    const struct loss *b = right;
    if (a->direct != b->direct) {
        return a->direct ? -1 : 1;
    }
    return a->bytes != b->bytes ? (a->bytes > b->bytes ? -1 : 1)
                                : place_compare(a->frame, b->frame);
}

/* Adds up those of the same line, and sorts the result. */
static void losses_join(struct process_losses *process)
{
    size_t kept = 0;
    qsort(process->items, process->count, sizeof(*process->items), by_place);
    for (size_t i = 0; i < process->count; i++) {
        const struct loss *next = &process->items[i];
        if (kept == 0 || by_place(&process->items[kept - 1], next) != 0) {
            process->items[kept++] = *next;
            continue;
        }
        struct loss *last = &process->items[kept - 1];
        last->objects = amount_add(last->objects, next->objects);
        last->bytes = amount_add(last->bytes, next->bytes);
    }
    process->count = kept;
    qsort(process->items, kept, sizeof(*process->items), by_size);
}

static void loss_add(struct process_losses *process, const struct frame *frame,
                     bool direct, int64_t objects, int64_t bytes)
{
    if (objects > 0) {
        process->items[process->count++] = (struct loss){
            .frame = frame, .direct = direct, .objects = objects, .bytes = bytes};
    }
}

/* A limit of 0 means nothing at all: a block of no bytes is lost, too. */
static bool is_over(const struct amounts *totals, int64_t limit)
{
    return totals->lost_bytes > limit || (limit == 0 && totals->lost_objects > 0);
}

static int process_judge(struct ending_process *ended,
                         const struct losses_settings *settings,
                         struct process_losses *process, struct failure *failure)
{
    struct profile *profile = &ended->profile;
    const struct amounts *totals = &profile->totals;
    *process = (struct process_losses){.pid = ended->pid,
                                       .inuse_objects = totals->inuse_objects,
                                       .inuse_bytes = totals->inuse_bytes,
                                       .lost_objects = totals->lost_objects,
                                       .lost_bytes = totals->lost_bytes,
                                       .direct_bytes = totals->direct_bytes,
                                       .over = is_over(totals, settings->max_lost)};
    process->items = calloc(2 * profile->count + 1, sizeof(*process->items));
    if (process->items == NULL || inlined_expand(profile) < 0) {
        return failure_set(failure, ENOMEM, "out of memory");
    }
    for (size_t i = 0; i < profile->count; i++) {
        const struct record *record = &profile->records[i];
        const struct amounts *amounts = &record->amounts;
        if (amounts->lost_objects == 0) {
            continue;
        }
        const struct frame *frame = blame_frame(profile, record, settings->own);
        loss_add(process, frame, true, amounts->direct_objects, amounts->direct_bytes);
        loss_add(process, frame, false, amounts->lost_objects - amounts->direct_objects,
                 amounts->lost_bytes - amounts->direct_bytes);
    }
    losses_join(process);
    return 0;
}

int losses_run(struct losses *losses, const struct losses_settings *settings,
               struct failure *failure)
{
    *losses = (struct losses){.count = 0};
    int64_t deadline_ms = clock_now_ms() + (int64_t)settings->timeout_secs * 1000;
    int error = ending_run(&losses->ending, settings->command, deadline_ms, failure);
    if (error < 0) {
        return error;
    }
    losses->processes = calloc(losses->ending.count, sizeof(*losses->processes));
    if (losses->processes == NULL) {
        return failure_set(failure, ENOMEM, "out of memory");
    }
    while (error == 0 && losses->count < losses->ending.count) {
        size_t number = losses->count++;
        error = process_judge(&losses->ending.processes[number], settings,
                              &losses->processes[number], failure);
    }
    return error;
}

bool losses_are_over(const struct losses *losses)
{
    for (size_t i = 0; i < losses->count; i++) {
        if (losses->processes[i].over) {
            return true;
        }
    }
    return false;
}

bool losses_end_well(const struct losses *losses,
                     const struct losses_settings *settings)
{
    return WIFEXITED(losses->ending.status) &&
           WEXITSTATUS(losses->ending.status) == settings->expect;
}

void losses_release(struct losses *losses)
{
    for (size_t i = 0; i < losses->count; i++) {
        free(losses->processes[i].items);
    }
    free(losses->processes);
    ending_release(&losses->ending);
    *losses = (struct losses){.count = 0};
}
