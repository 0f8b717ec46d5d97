#include "probe/preload/exit_file.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "probe/heap/heap_file.h"
#include "probe/preload/say.h"
#include "probe/reach/exit_profile.h"
#include "probe/recorder/recorder.h"

struct exit_file {
    const char *pattern;
    const char *name;
    pid_t pid;
};

/* The path; false if it does not fit. */
static bool path_make(const struct exit_file *file, char *path, size_t size)
{
    size_t length = 0;
    for (const char *at = file->pattern; *at != '\0'; at++) {
        int added = 1;
        if (at[0] == '%' && at[1] == 'p') {
            added = snprintf(path + length, size - length, "%d", (int)file->pid);
            at++;
        } else if (length + 1 < size) {
            path[length] = *at;
        }
        length += (size_t)added;
        if (length >= size) {
            return false;
        }
    }
    path[length] = '\0';
    return true;
}

/* Why it is not known what is lost. */
static void reason_write(int error, pid_t stubborn, char *text, size_t size)
{
    switch (error) {
    case -ENOTSUP:
        snprintf(text, size, "%s",
                 probe_recorder_mode() == RECORDER_SAMPLED
                     ? "the recorder samples"
                     : "the probe cannot do that on this processor");
        break;
    case -EDEADLK:
        snprintf(text, size, "thread %d did not stop", (int)stubborn);
        break;
    case -ECANCELED:
        snprintf(text, size, "the probe stands aside");
        break;
    case -EBUSY:
        snprintf(text, size, "a page asks for it, and does not come to its end");
        break;
    case -ENODATA:
        snprintf(text, size,
                 "memory was short, or the recorder was busy: it has not noted all "
                 "blocks");
        break;
    case -EAGAIN:
    case -ETIMEDOUT:
    case -ECHILD:
        snprintf(text, size, "the copy of the process did not get to its end");
        break;
    default:
        snprintf(text, size, "%s", strerror(-error));
        break;
    }
}

static void refusal_say(const struct exit_file *file, const char *path, int error)
{
    probe_say("%s, pid %d: cannot write '%s': %s", file->name, (int)file->pid, path,
              error == -ENOTSUP ? "the heap is not recorded" : strerror(-error));
}

/* Only what is in use; the reason is in the file, too. */
static void heap_write(const struct exit_file *file, const char *path,
                       const char *reason)
{
    char note[200];
    struct heap_sums sums;
    snprintf(note, sizeof(note), "what is lost was not measured: %s", reason);
    int error = probe_heap_write_file(path, note, &sums);
    if (error != 0) {
        refusal_say(file, path, error);
        return;
    }
    probe_say("%s, pid %d: %lld bytes in use at exit, in %lld blocks from %llu stacks; "
              "%s: %s",
              file->name, (int)file->pid, (long long)sums.bytes,
              (long long)sums.objects, (unsigned long long)sums.stacks, note, path);
}

static void reach_write(const struct exit_file *file, const char *path,
                        const struct buffer *profile, const struct exit_sums *sums)
{
    int error = probe_heap_write_made(path, profile);
    if (error != 0) {
        refusal_say(file, path, error);
        return;
    }
    probe_say("%s, pid %d: %lld bytes in use at exit, in %lld blocks from %llu stacks; "
              "of these %lld bytes are lost, in %lld blocks: %s",
              file->name, (int)file->pid, (long long)sums->in_use.bytes,
              (long long)sums->in_use.objects, (unsigned long long)sums->stacks,
              (long long)sums->lost.bytes, (long long)sums->lost.objects, path);
}

static void file_write(const struct exit_file *file, const struct buffer *profile,
                       const struct exit_sums *sums, int error, pid_t stubborn)
{
    char path[PATH_MAX];
    char reason[120];
    if (!path_make(file, path, sizeof(path))) {
        probe_say("%s, pid %d: the path of --at-exit is too long", file->name,
                  (int)file->pid);
    } else if (error == 0) {
        reach_write(file, path, profile, sums);
    } else {
        reason_write(error, stubborn, reason, sizeof(reason));
        heap_write(file, path, reason);
    }
}

void probe_exit_file_write(const char *pattern, const char *name, pid_t pid, bool aside)
{
    const struct exit_file file = {pattern, name, pid};
    struct buffer profile = {0};
    struct exit_sums sums;
    struct recorder_figures figures;
    pid_t stubborn = 0;
    probe_recorder_read_figures(&figures);
    int error = aside ? -ECANCELED : figures.lost > 0 ? -ENODATA : 0;
    if (error == 0) {
        error = probe_reach_exit_proto(&profile, &sums, &stubborn);
    }
    file_write(&file, &profile, &sums, error, stubborn);
    buffer_release(&profile);
}
