/*
 * The threads that the kernel lists, each with its note; and those that have ended and
 * were never joined, whose stacks stay mapped. The kernel gives numbers again: a thread
 * that began after its note was taken is another one.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "probe/process/descriptors.h"
#include "probe/resources/resource_list.h"
#include "probe/resources/stack_mappings.h"
#include "probe/resources/thread_notes.h"
#include "probe/resources/threads_aside.h"
#include "probe/threads/task_directory.h"
#include "probe/threads/thread_details.h"

/* A thread that was just started may not have said its number yet: so often, and so
 * long, it is waited for. */
#define TRIES 20
#define PAUSE_MS 2

enum { THREADS, ENDED };

struct survey {
    struct resource_list *list;
    int task_fd;          /* /proc/self/task */
    struct buffer living; /* struct thread_entry: what the kernel lists */
    struct buffer notes;  /* struct thread_noted, by tid, the newest first; `which` is 0
                             when a living thread has it */
    struct stack_mappings stacks;
    size_t unseen;
    size_t probes; /* the probe's own */
    size_t ended;
    uint64_t kept_bytes; /* of the stacks of those that have ended */
};

static struct thread_entry *living_of(const struct survey *survey, size_t *ret_count)
{
    *ret_count = survey->living.length / sizeof(struct thread_entry);
    return (struct thread_entry *)(void *)survey->living.data;
}

static struct thread_noted *notes_of(const struct survey *survey, size_t *ret_count)
{
    *ret_count = survey->notes.length / sizeof(struct thread_noted);
    return (struct thread_noted *)(void *)survey->notes.data;
}

static int note_compare(const void *one, const void *other)
{
    const struct thread_noted *first = one;
    const struct thread_noted *second = other;
    if (first->tid != second->tid) {
        return first->tid < second->tid ? -1 : 1;
    }
    return first->which > second->which ? -1 : first->which < second->which;
}

static void living_add(pid_t tid, void *argument)
{
    const struct thread_entry entry = {.tid = tid};
    buffer_append(argument, &entry, sizeof(entry));
}

/* Copies the notes. Returns 0 or -ENOMEM. */
static int notes_read(struct survey *survey)
{
    int error = probe_thread_notes_copy(&survey->notes);
    size_t count;
    struct thread_noted *notes = notes_of(survey, &count);
    if (error == 0 && count > 0) {
        qsort(notes, count, sizeof(*notes), note_compare);
    }
    return error;
}

/* The first note with this number, or with a larger one. */
static size_t notes_from(const struct survey *survey, pid_t tid)
{
    size_t count;
    const struct thread_noted *notes = notes_of(survey, &count);
    size_t low = 0;
    while (low < count) {
        size_t middle = low + (count - low) / 2;
        if (notes[middle].tid < tid) {
            low = middle + 1;
        } else {
            count = middle;
        }
    }
    return low;
}

/* Whether the thread that the kernel shows is the one with this note, and not one that
 * has got its number later. */
static bool is_of(const struct thread_entry *entry, const struct thread_noted *noted)
{
    return entry->born_ns <= noted->begun_ns;
}

/* Whether the kernel said more of it than its number: without a free descriptor nothing
 * more can be read. */
static bool is_described(const struct thread_entry *entry)
{
    return entry->born_ns != 0;
}

/* The note of a thread that the kernel lists: it can only be the newest one with its
 * number. NULL if there is none. */
static struct thread_noted *note_of(const struct survey *survey,
                                    const struct thread_entry *entry)
{
    size_t count;
    struct thread_noted *notes = notes_of(survey, &count);
    size_t at = notes_from(survey, entry->tid);
    bool found = at < count && notes[at].tid == entry->tid &&
                 is_of(entry, &notes[at]) &&
                 (is_described(entry) || !probe_thread_number_reused(entry->tid));
    return found ? &notes[at] : NULL;
}

/* Whether a thread that the kernel lists may be one that was noted, but has not yet
 * said its number. */
static bool is_early(const struct survey *survey)
{
    size_t living_count;
    size_t note_count;
    const struct thread_entry *living = living_of(survey, &living_count);
    const struct thread_noted *notes = notes_of(survey, &note_count);
    bool missing = false;
    for (size_t i = 0; i < living_count && !missing; i++) {
        missing = living[i].tid != getpid() && !probe_thread_is_own(living[i].tid) &&
                  note_of(survey, &living[i]) == NULL;
    }
    return missing && note_count > 0 && notes[0].tid == 0;
}

/* Reads what the kernel lists now, and who has started it. Returns 0 or -errno. */
static int survey_read(struct survey *survey)
{
    struct thread_clock clock = {0};
    size_t count;
    int error = probe_task_each(survey->task_fd, living_add, &survey->living);
    error = error != 0 ? error : survey->living.error;
    error = error != 0 ? error : notes_read(survey);
    if (error != 0) {
        return error;
    }
    probe_thread_clock_read(survey->task_fd, &clock);
    clock.exec_start_ms = 0; /* when a thread last ran is not wanted */
    struct thread_entry *living = living_of(survey, &count);
    for (size_t i = 0; i < count; i++) {
        probe_thread_details_read(survey->task_fd, &clock, &living[i]);
    }
    for (int i = 0; i < TRIES && error == 0 && is_early(survey); i++) {
        clock_sleep_ms(PAUSE_MS);
        error = notes_read(survey);
    }
    return error;
}

/* "thread 4242 "name", for 3.2 s", or only its number. */
static void living_write(const struct thread_entry *entry, char *text, size_t size)
{
    int length = snprintf(text, size, "thread %d", (int)entry->tid);
    if (is_described(entry)) {
        snprintf(text + length, size - (size_t)length, " \"%s\", for %.1f s",
                 entry->name, (double)entry->lifetime_ns / CLOCK_NS_PER_SECOND);
    }
}

static void living_show(struct survey *survey, struct thread_entry *entry)
{
    struct resource_item item = {.kind = "living", .values = {[THREADS] = 1}};
    char example[96];
    struct thread_noted *noted = note_of(survey, entry);
    if (entry->tid == getpid()) {
        item.maker = MADE_AT_START;
    } else if (probe_thread_is_own(entry->tid)) {
        item.maker = MADE_BY_PROBE;
        survey->probes++;
    } else if (noted != NULL) {
        item.maker = MADE_BY_STACK;
        item.note = noted->note;
        noted->which = 0;
    } else {
        item.maker = MADE_UNSEEN;
        survey->unseen++;
    }
    living_write(entry, example, sizeof(example));
    probe_resource_list_add(survey->list, &item, example);
}

/* Whether the thread has ended, and nobody has joined it until now. */
static bool has_ended(const struct survey *survey, const struct thread_noted *noted)
{
    static const struct thread_clock no_clock = {0};
    struct thread_entry entry = {.tid = noted->tid};
    char name[16];
    if (noted->which == 0 || noted->let_go || noted->tid == 0 ||
        probe_threads_lost() > 0) {
        return false;
    }
    /* It may have begun after the kernel's list was read. */
    snprintf(name, sizeof(name), "%d", (int)noted->tid);
    bool lives = faccessat(survey->task_fd, name, F_OK, 0) == 0 || errno != ENOENT;
    if (lives) {
        probe_thread_details_read(survey->task_fd, &no_clock, &entry);
        lives = is_of(&entry, noted);
    }
    return !lives && probe_thread_is_kept(noted->which);
}

static void ended_show(struct survey *survey, const struct thread_noted *noted)
{
    const struct resource_item item = {
        .maker = MADE_BY_STACK,
        .note = noted->note,
        .kind = "ended",
        .values = {[ENDED] = 1},
    };
    char example[96];
    size_t kept = probe_stack_mapped(&survey->stacks, noted->thread, noted->stack_most);
    survey->ended++;
    survey->kept_bytes += kept;
    snprintf(example, sizeof(example),
             "thread %d, ended, its stack keeps %zu KiB mapped", (int)noted->tid,
             kept / 1024);
    probe_resource_list_add(survey->list, &item, example);
}

static int survey_show(struct survey *survey)
{
    size_t count;
    bool read = false;
    int error = 0;
    struct thread_entry *living = living_of(survey, &count);
    for (size_t i = 0; i < count; i++) {
        living_show(survey, &living[i]);
    }
    const struct thread_noted *notes = notes_of(survey, &count);
    for (size_t i = 0; i < count && error == 0; i++) {
        if (!has_ended(survey, &notes[i])) {
            continue;
        }
        if (!read) {
            error = probe_stack_mappings_read(&survey->stacks);
            read = true;
        }
        ended_show(survey, &notes[i]);
    }
    return error;
}

static void remark(const struct survey *survey)
{
    struct buffer *remarks = &survey->list->remarks;
    size_t count;
    (void)living_of(survey, &count);
    buffer_printf(remarks, "the kernel lists %zu; %zu made unseen, %zu the probe's own",
                  count, survey->unseen, survey->probes);
    if (survey->ended > 0) {
        buffer_printf(remarks,
                      "; %zu more have ended and were never joined: their stacks keep "
                      "%llu KiB mapped",
                      survey->ended, (unsigned long long)survey->kept_bytes / 1024);
    }
    if (probe_threads_lost() > 0) {
        buffer_printf(
            remarks,
            "; %llu threads or joins could not be noted: which threads have ended and "
            "were never joined is not known",
            (unsigned long long)probe_threads_lost());
    }
}

static int threads_list(struct resource_list *list)
{
    struct survey survey = {.list = list};
    if (probe_proc_check() != 0) {
        return -ESRCH; /* its numbers are not those that were noted */
    }
    survey.task_fd = probe_proc_open("self/task", O_RDONLY | O_DIRECTORY);
    if (survey.task_fd < 0) {
        return survey.task_fd;
    }
    int error = survey_read(&survey);
    error = error != 0 ? error : survey_show(&survey);
    if (error == 0) {
        remark(&survey);
    }
    close(survey.task_fd);
    buffer_release(&survey.living);
    buffer_release(&survey.notes);
    probe_stack_mappings_release(&survey.stacks);
    return error;
}

const struct resource_subject probe_threads_made = {
    .name = "threadcreate",
    .values = {{"threads", "count"}, {"ended", "count"}},
    .list = threads_list,
};
