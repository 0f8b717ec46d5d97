/*
 * A program exports two hundred notes, each to its own file, and removes the
 * files at the end.
 */
#include <errno.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "runtime/context.h"
#include "runtime/defer.h"
#include "scenario.h"

#define NOTES 200
#define TEXT_BYTES 1024
#define STREAM_BYTES (472 + 4096) /* what fopen mallocs: glibc 2.36, 4 KiB blocks */

/* One call's export. Its number makes the names of its files unique. */
struct notebook {
    const struct scenario_request *request;
    size_t number;
};

static atomic_size_t notebooks_started;
static atomic_size_t notes_open;

/* The path of a note's file. Returns -ENAMETOOLONG if it does not fit. */
static int note_path(const struct notebook *notebook, unsigned note,
                     char path[PATH_MAX])
{
    int length = snprintf(path, PATH_MAX, "%s/notebook-%zu-note-%u.txt",
                          notebook->request->directory, notebook->number, note);
    return length >= 0 && length < PATH_MAX ? 0 : -ENAMETOOLONG;
}

/* Opens the file of a note. Returns 0 or -errno. */
static int note_open(const struct notebook *notebook, unsigned note, FILE **ret_file)
{
    char path[PATH_MAX];
    int error = note_path(notebook, note, path);
    if (error != 0) {
        return error;
    }
    FILE *file = fopen(path, "we");
    if (file == NULL) {
        return -errno;
    }
    atomic_fetch_add(&notes_open, 1);
    *ret_file = file;
    return 0;
}

static void note_close(void *file)
{
    fclose(file);
    atomic_fetch_sub(&notes_open, 1);
}

/* Writes `bytes` bytes into the file of a note: the id again and again, a line each
 * time. Returns 0 or -errno. */
static int note_write(FILE *file, const char *id, size_t bytes)
{
    char text[TEXT_BYTES];
    size_t length = strlen(id);
    for (size_t i = 0; i < sizeof(text); i++) {
        size_t at = i % (length + 1);
        text[i] = at < length ? id[at] : '\n';
    }
    while (bytes > 0) {
        size_t part = bytes < sizeof(text) ? bytes : sizeof(text);
        if (fwrite(text, 1, part, file) != part) {
            return -EIO;
        }
        bytes -= part;
    }
    return fflush(file) == 0 ? 0 : -errno;
}

/* Writes all notes, then waits for `hold_ms`. Returns 0 or -errno. */
static int notebook_write(const struct notebook *notebook)
{
    const struct scenario_request *request = notebook->request;
    struct defer_stack defers = {0};
    struct defer_item items[NOTES];
    int error = 0;
    for (unsigned i = 0; i < NOTES && error == 0; i++) {
        FILE *file;
        error = note_open(notebook, i, &file);
        if (error == 0) {
            /* LEAK: each close waits until the end of the whole function. */
            defer_push(&defers, &items[i], note_close, file);
            error = note_write(file, request->id, request->bytes);
        }
    }
    if (error == 0) {
        context_sleep(request->context, request->hold_ms);
    }
    defer_run(&defers);
    return error;
}

/* Reads a note back. Adds its length and its text to the two results. Returns 0 or
 * -errno. */
static int note_read(const struct notebook *notebook, unsigned note, size_t *bytes,
                     uint32_t *sum)
{
    char path[PATH_MAX];
    int error = note_path(notebook, note, path);
    if (error != 0) {
        return error;
    }
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return -errno;
    }
    char text[TEXT_BYTES];
    size_t part;
    while ((part = fread(text, 1, sizeof(text), file)) > 0) {
        *bytes += part;
        *sum = *sum * 31 + scenario_digest(text, part);
    }
    error = ferror(file) == 0 ? 0 : -EIO;
    fclose(file);
    return error;
}

/* Reads all notes back, for the answer. Returns 0 or -errno. */
static int notebook_read(const struct notebook *notebook,
                         struct scenario_answer *answer)
{
    const char *id = notebook->request->id;
    size_t bytes = 0;
    uint32_t sum = scenario_digest(id, strlen(id));
    for (unsigned i = 0; i < NOTES; i++) {
        int error = note_read(notebook, i, &bytes, &sum);
        if (error != 0) {
            return error;
        }
    }
    scenario_answer_set(answer, "%d notes, %zu bytes, %08x", NOTES, bytes, sum);
    return 0;
}

/* Removes the files that exist. */
static void notebook_remove(const struct notebook *notebook)
{
    for (unsigned i = 0; i < NOTES; i++) {
        char path[PATH_MAX];
        if (note_path(notebook, i, path) == 0) {
            unlink(path);
        }
    }
}

static int notebook_export(const struct scenario_request *request,
                           struct scenario_answer *answer)
{
    struct notebook notebook = {
        .request = request,
        .number = atomic_fetch_add(&notebooks_started, 1),
    };
    int error = notebook_write(&notebook);
    if (error == 0) {
        error = notebook_read(&notebook, answer);
    }
    notebook_remove(&notebook);
    return error;
}

static size_t notes_count(void)
{
    return atomic_load(&notes_open);
}

const struct scenario loop_defer_scenario = {
    .name = "loop-defer",
    .family = "loop-defers",
    .title = "Clean-ups deferred in a loop",
    .kind = SCENARIO_TEMPORARY,
    .story = "A program writes two hundred files in a loop and defers the closing of "
             "each.",
    .symptom = "While a request runs, the process has two hundred more descriptors; "
               "afterwards they are gone. With enough files it runs out of them.",
    .cause = "A deferred clean-up runs at the end of the function. Before that, the "
             "loop runs two hundred times.",
    .fix = "The body of the loop is a separate function, which closes the file when it "
           "ends: only one is open at a time.",
    .find_it = "Call it with hold=5000 and look at fds in /status meanwhile, or list "
               "/proc/PID/fd: every link there names a file of the same loop.",
    .bytes_default = 4 * 1024,
    .bytes_min = 1,
    .bytes_max = 64 * 1024,
    .bytes_meaning = "one file",
    .holds = {.fds = NOTES, .extra_bytes = NOTES * STREAM_BYTES},
    .run = notebook_export,
    .held = notes_count,
};
