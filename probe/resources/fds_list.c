/*
 * Reads /proc/self/fd. A note that the kernel contradicts is not believed: the number
 * was closed, and opened again, by system calls that nobody has seen. It must be of the
 * kind that was opened; and from the first list on that has it, it must be the same
 * file.
 *
 * The program goes on meanwhile. A descriptor that is open, but not noted yet, is
 * looked at again a little later; and one that has gone meanwhile does not count.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "probe/process/descriptors.h"
#include "probe/resources/descriptor_notes.h"
#include "probe/resources/descriptor_view.h"
#include "probe/resources/resource_list.h"

#define LOOKS 5 /* at a descriptor without a note; the pauses grow: 1, 2, 4, 8 ms */
#define SETTLE 4

/* What is known about a number from the last list: the table is sorted by number. */
struct known {
    int fd;
    uint64_t word; /* its note; 0: it had none */
    uint64_t file; /* see struct descriptor_view */
};

/* The work on one list. */
struct pass {
    struct resource_list *list;
    int directory;
    struct buffer numbers; /* ints: what the kernel lists */
    struct buffer waiting; /* ints: of these, what is looked at again */
    struct buffer known;   /* struct known, of this list */
    size_t count;          /* that were added to the list */
    size_t unseen;         /* of these */
    size_t probes;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct buffer last_known;

/* ---- What was there at the last list ---- */

static int by_number(const void *one, const void *other)
{
    int first = ((const struct known *)one)->fd;
    int second = ((const struct known *)other)->fd;
    return first < second ? -1 : first > second;
}

static const struct known *known_find(int fd)
{
    const struct known wanted = {.fd = fd};
    return last_known.length == 0 ? NULL
                                  : bsearch(&wanted, last_known.data,
                                            last_known.length / sizeof(struct known),
                                            sizeof(struct known), by_number);
}

/* Within the tick in which a note was made, the number may be closed, opened and noted
 * again with the same word. */
static bool is_settled(const struct descriptor_note *note)
{
    return probe_resource_age(note->note) > 2 * RESOURCE_TICK_NS;
}

/* Keeps what was seen, for the next list. */
static void known_keep(struct pass *pass, int fd, const struct descriptor_note *note,
                       uint64_t file)
{
    const struct known entry = {.fd = fd, .word = note->word, .file = file};
    if (note->word == 0 || is_settled(note)) {
        buffer_append(&pass->known, &entry, sizeof(entry));
    }
}

/* Whether the note is of what is seen. */
static bool is_believed(int fd, const struct descriptor_note *note,
                        const struct descriptor_view *view)
{
    const struct known *before = known_find(fd);
    if (!probe_fd_may_be(note->kind, view)) {
        return false;
    }
    return before == NULL || before->word != note->word || before->file == view->file;
}

/* ---- One descriptor ---- */

/* Reads note and descriptor, which belong together. Returns 0 or -errno. */
static int look(const struct pass *pass, int fd, struct descriptor_note *ret_note,
                struct descriptor_view *ret_view)
{
    int error = 0;
    for (int i = 0; i < SETTLE; i++) {
        *ret_note = probe_fd_note(fd);
        error = probe_fd_view(pass->directory, fd, !pass->list->plain, ret_view);
        if (error != 0 || probe_fd_note(fd).word == ret_note->word) {
            break;
        }
    }
    return error;
}

/* Whether its note may still come, or go: then it is looked at again. */
static bool is_unclear(int fd, const struct descriptor_note *note,
                       const struct descriptor_view *view)
{
    const struct known *before = known_find(fd);
    bool was_unseen = before != NULL && before->word == 0 && before->file == view->file;
    return note->closing || (note->word == 0 && !was_unseen);
}

/* "7 /tmp/x, open for 12.3 s" */
static void example_write(char *text, size_t size, int fd,
                          const struct descriptor_note *note,
                          const struct descriptor_view *view)
{
    int length = snprintf(text, size, "%d %s", fd, view->text);
    if (note->note.made != 0) {
        double age = (double)probe_resource_age(note->note) / CLOCK_NS_PER_SECOND;
        snprintf(text + length, size - (size_t)length, ", open for %.1f s", age);
    }
}

static void item_add(struct pass *pass, int fd, const struct descriptor_note *note,
                     const struct descriptor_view *view, bool is_probes)
{
    char example[DESCRIPTOR_VIEW_SIZE + 64];
    const struct resource_item item = {
        .maker = is_probes               ? MADE_BY_PROBE
                 : note->note.stack == 0 ? MADE_UNSEEN
                                         : MADE_BY_STACK,
        .note = note->note,
        .kind = note->kind == FD_QUEUE ? "message queue" : view->name,
        .values = {1},
    };
    if (!pass->list->plain) {
        example_write(example, sizeof(example), fd, note, view);
    }
    probe_resource_list_add(pass->list, &item, pass->list->plain ? NULL : example);
    pass->count++;
    pass->unseen += item.maker == MADE_UNSEEN;
    pass->probes += item.maker == MADE_BY_PROBE;
}

/* Adds a descriptor, or leaves it for another look, unless this is the last one. */
static void fd_add(struct pass *pass, int fd, bool is_last)
{
    struct descriptor_note note;
    struct descriptor_view view;
    int error = look(pass, fd, &note, &view);
    if (error == -ENOENT) {
        return;
    }
    bool is_probes = probe_descriptor_is_kept(fd);
    bool is_known = error == 0 && !is_probes;
    if (error != 0) {
        view = (struct descriptor_view){.name = "other", .kind = FD_OTHER};
    }
    if (is_known && note.word != 0 && !is_believed(fd, &note, &view)) {
        probe_fd_disbelieve(fd, note.word);
        note = (struct descriptor_note){0};
    }
    if (is_known && !is_last && is_unclear(fd, &note, &view)) {
        buffer_append(&pass->waiting, &fd, sizeof(fd));
        return;
    }
    if (is_known) {
        known_keep(pass, fd, &note, view.file);
    }
    if (is_probes) {
        note = (struct descriptor_note){0};
    }
    item_add(pass, fd, &note, &view, is_probes);
}

/* ---- All of them ---- */

static void all_add(struct pass *pass)
{
    for (int look_number = 1; look_number <= LOOKS; look_number++) {
        struct buffer now = pass->numbers;
        const int *numbers = (const void *)now.data;
        pass->numbers = (struct buffer){0};
        for (size_t i = 0; i < now.length / sizeof(int); i++) {
            fd_add(pass, numbers[i], look_number == LOOKS);
        }
        buffer_release(&now);
        pass->numbers = pass->waiting;
        pass->waiting = (struct buffer){0};
        if (pass->numbers.length == 0) {
            break;
        }
        clock_sleep_ms(1U << (look_number - 1));
    }
}

static void remark(const struct pass *pass)
{
    struct rlimit limit = {0};
    struct buffer *text = &pass->list->remarks;
    buffer_printf(text, "the kernel lists %zu", pass->count);
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY) {
        buffer_printf(text, " (limit %llu)", (unsigned long long)limit.rlim_cur);
    }
    buffer_printf(text, "; %zu made unseen, %zu the probe's own", pass->unseen,
                  pass->probes);
}

/* What is kept for the next list is sorted: it was added in two parts. */
static void known_set(struct pass *pass)
{
    if (pass->known.length > 0 && pass->known.error == 0) {
        qsort(pass->known.data, pass->known.length / sizeof(struct known),
              sizeof(struct known), by_number);
    }
    buffer_release(&last_known);
    last_known = pass->known;
}

static int fds_list(struct resource_list *list)
{
    struct pass pass = {.list = list};
    pthread_mutex_lock(&lock);
    int error = probe_fd_numbers(&pass.numbers, &pass.directory);
    if (error == 0) {
        all_add(&pass);
        remark(&pass);
        known_set(&pass);
        close(pass.directory);
    }
    buffer_release(&pass.numbers);
    pthread_mutex_unlock(&lock);
    return error;
}

const struct resource_subject probe_fds = {
    .name = "fds",
    .values = {{"fds", "count"}},
    .list = fds_list,
};
