/*
 * Each process writes a file of its own, PID.pb, into a directory that is made for the
 * run and removed after it.
 */
#include "leakcheck/measure/ending.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/size.h"
#include "leakcheck/measure/child.h"
#include "leakcheck/measure/launcher.h"
#include "leakcheck/measure/profile_parse.h"

#define FILE_MAX (64 * MIB)
#define PATIENCE_MS 5000 /* for a program that is told to end */
#define NOT_EXECUTED 126
#define NOT_FOUND 127

static char directory[PATH_MAX]; /* "": none */

static int directory_make(struct failure *failure)
{
    const char *parent = getenv("TMPDIR");
    if (parent == NULL || parent[0] != '/') {
        parent = "/tmp";
    }
    int length =
        snprintf(directory, sizeof(directory), "%.3000s/leakcheck-XXXXXX", parent);
    if (length < 0 || mkdtemp(directory) == NULL) {
        directory[0] = '\0';
        return failure_set(failure, errno, "no directory can be made in '%.300s': %s",
                           parent, strerror(errno));
    }
    return 0;
}

/* Also when a signal ends this process. */
static void directory_remove(void)
{
    DIR *files = directory[0] == '\0' ? NULL : opendir(directory);
    const struct dirent *entry;
    while (files != NULL && (entry = readdir(files)) != NULL) {
        unlinkat(dirfd(files), entry->d_name, 0);
    }
    if (files != NULL) {
        closedir(files);
        rmdir(directory);
    }
    directory[0] = '\0';
}

/* -- the run ----------------------------------------------------------------------- */

/* The shell becomes leakprobe, and that the program: see program.c. */
static int start(const char *command, struct child *child, struct failure *failure)
{
    static const char format[] = "exec \"$0\" --quiet --port 0 --at-exit \"$1\" -- %s";
    char launcher[PATH_MAX];
    char pattern[PATH_MAX + 16];
    int error = launcher_find(launcher, sizeof(launcher), "--command", failure);
    if (error < 0) {
        return error;
    }
    size_t size = sizeof(format) + strlen(command);
    char *text = malloc(size);
    if (text == NULL) {
        return failure_set(failure, ENOMEM, "out of memory");
    }
    snprintf(text, size, format, command);
    snprintf(pattern, sizeof(pattern), "%s/%%p.pb", directory);
    const char *const arguments[] = {"/bin/sh", "-c", text, launcher, pattern, NULL};
    error = child_start_here(child, arguments, failure);
    free(text);
    return error;
}

static unsigned time_left(int64_t deadline_ms)
{
    int64_t left_ms = deadline_ms - clock_now_ms();
    return left_ms < 0 ? 0 : (unsigned)left_ms;
}

/* Waits for the program, and for what it has started: a forked process that goes on,
 * such as a daemon, has not lost anything yet. */
static int end_await(struct ending *ending, struct child *child, int64_t deadline_ms,
                     struct failure *failure)
{
    int64_t start_ms = clock_now_ms();
    bool ended = child_has_ended(child, time_left(deadline_ms));
    bool all_ended = ended && child_all_have_ended(time_left(deadline_ms));
    if (!all_ended) {
        child_end_all(PATIENCE_MS);
    }
    ending->pid = child->pid;
    child_finish(child);
    ending->status = child->status;
    ending->elapsed_ms = clock_now_ms() - start_ms;
    if (!ended) {
        return failure_set(failure, ETIMEDOUT,
                           "--command: the program has not ended after %.0f s",
                           (double)ending->elapsed_ms / 1000);
    }
    if (!all_ended) {
        return failure_set(failure, ETIMEDOUT,
                           "--command: the program has ended, but a process that it "
                           "has started has not, after %.0f s: what that lost was not "
                           "measured",
                           (double)ending->elapsed_ms / 1000);
    }
    return 0;
}

/* -- its results ------------------------------------------------------------------- */

static int file_read(const char *path, char **ret_text, size_t *ret_length)
{
    struct stat info;
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return -errno;
    }
    int error = fstat(fileno(file), &info) != 0 ? -errno : 0;
    if (error == 0 && info.st_size > FILE_MAX) {
        error = -EFBIG;
    }
    char *text = error == 0 ? malloc((size_t)info.st_size + 1) : NULL;
    if (error == 0 && text == NULL) {
        error = -ENOMEM;
    }
    if (error == 0) {
        *ret_length = fread(text, 1, (size_t)info.st_size, file);
        text[*ret_length] = '\0'; /* the parser of texts needs it */
        *ret_text = text;
    }
    fclose(file);
    return error;
}

/* Reads a process's file into the next place of the list. */
static int process_read(struct ending *ending, int pid, struct failure *failure)
{
    char path[PATH_MAX + 32];
    char *text = NULL;
    size_t length = 0;
    struct ending_process *process = &ending->processes[ending->count];
    snprintf(path, sizeof(path), "%s/%d.pb", directory, pid);
    int error = file_read(path, &text, &length);
    if (error < 0) {
        return failure_set(failure, -error,
                           "--command: the result of process %d cannot be read: %s",
                           pid, strerror(-error));
    }
    error = profile_parse_heap(&process->profile, text, length, failure);
    free(text);
    if (error < 0) {
        return error;
    }
    process->pid = pid;
    ending->count++;
    if (!process->profile.has_lost) {
        const char *reason = process->profile.comment;
        return failure_set(failure, ENODATA, "--command: process %d: %.300s", pid,
                           reason == NULL || reason[0] == '\0'
                               ? "what is lost was not measured"
                               : reason);
    }
    return 0;
}

/* Why there is no result of the program itself. */
static int missing_explain(const struct ending *ending, struct failure *failure)
{
    if (WIFSIGNALED(ending->status)) {
        return failure_set(failure, ESRCH,
                           "--command: the program ended with %s: what it lost was "
                           "not measured",
                           child_end_text(ending->status).at);
    }
    int status = WEXITSTATUS(ending->status);
    if (status == NOT_FOUND || status == NOT_EXECUTED) {
        return failure_set(failure, ENOENT,
                           "--command: the program could not be started (exit status "
                           "%d), or ended without a result",
                           status);
    }
    return failure_set(failure, ENODATA,
                       "--command: the program ended with exit status %d and without "
                       "a result: it called _exit, or ran without instruments "
                       "('leakprobe -- COMMAND' says why)",
                       status);
}

static bool has_file(int pid)
{
    char path[PATH_MAX + 32];
    snprintf(path, sizeof(path), "%s/%d.pb", directory, pid);
    return access(path, R_OK) == 0;
}

/* Reads what forked processes have left. */
static int others_read(struct ending *ending, struct failure *failure)
{
    DIR *files = opendir(directory);
    const struct dirent *entry;
    int error = 0;
    if (files == NULL) {
        return failure_set(failure, errno, "cannot read '%.300s'", directory);
    }
    while (error == 0 && (entry = readdir(files)) != NULL) {
        int pid = 0;
        int end = 0;
        if (sscanf(entry->d_name, "%9d.pb%n", &pid, &end) != 1 || end == 0 ||
            entry->d_name[end] != '\0' || pid == ending->pid) {
            continue;
        }
        if (ending->count == ENDING_PROCESSES_MAX) {
            error = failure_set(failure, E2BIG,
                                "--command: more than %d processes have left a result",
                                ENDING_PROCESSES_MAX);
        } else {
            error = process_read(ending, pid, failure);
        }
    }
    closedir(files);
    return error;
}

static int results_read(struct ending *ending, struct failure *failure)
{
    if (WIFSIGNALED(ending->status) || !has_file(ending->pid)) {
        return missing_explain(ending, failure);
    }
    ending->processes = calloc(ENDING_PROCESSES_MAX, sizeof(*ending->processes));
    if (ending->processes == NULL) {
        return failure_set(failure, ENOMEM, "out of memory");
    }
    int error = process_read(ending, ending->pid, failure);
    return error < 0 ? error : others_read(ending, failure);
}

int ending_run(struct ending *ending, const char *command, int64_t deadline_ms,
               struct failure *failure)
{
    struct child child = {0};
    *ending = (struct ending){0};
    int error = directory_make(failure);
    if (error < 0) {
        return error;
    }
    child_on_interrupt(directory_remove);
    error = start(command, &child, failure);
    if (error == 0) {
        error = end_await(ending, &child, deadline_ms, failure);
    }
    if (error == 0) {
        error = results_read(ending, failure);
    }
    child_on_interrupt(NULL);
    directory_remove();
    return error;
}

void ending_release(struct ending *ending)
{
    for (size_t i = 0; i < ending->count; i++) {
        profile_release(&ending->processes[i].profile);
    }
    free(ending->processes);
    *ending = (struct ending){0};
}
