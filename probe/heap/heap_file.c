#include "probe/heap/heap_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "probe/heap/heap.h"
#include "probe/recorder/inside.h"

/* The profile of now, and its sums. */
static int profile_take(const char *note, struct buffer *ret_profile,
                        struct heap_sums *ret_sums)
{
    struct heap_snapshot snapshot;
    int error = probe_heap_snapshot(HEAP_VALUES_SCALED, &snapshot);
    if (error != 0) {
        return error;
    }
    snapshot.note = note;
    error = probe_heap_snapshot_sum(&snapshot, ret_sums);
    if (error == 0) {
        error = probe_heap_snapshot_proto(&snapshot, HEAP_VIEW_INUSE, ret_profile);
    }
    probe_heap_snapshot_release(&snapshot);
    return error;
}

/* Whether a file of this name may be written: there is none, or a regular one. */
static int path_check(const char *path)
{
    struct stat there;
    if (lstat(path, &there) != 0) {
        return errno == ENOENT ? 0 : -errno;
    }
    return S_ISREG(there.st_mode) ? 0 : -EEXIST;
}

/* Creates the file `path`, which must not be there, with all of the profile in it. */
static int file_create(const char *path, const struct buffer *profile)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd < 0) {
        return -errno;
    }
    int error = file_write_whole(fd, profile->data, profile->length);
    /* Some file systems report a full disk only here. */
    if (close(fd) != 0 && errno != EINTR && error == 0) {
        error = -errno;
    }
    if (error != 0) {
        unlink(path);
    }
    return error;
}

static int file_replace(const char *path, const struct buffer *profile)
{
    char temporary[PATH_MAX];
    int length =
        snprintf(temporary, sizeof(temporary), "%s.%d.tmp", path, (int)getpid());
    if (length < 0 || (size_t)length >= sizeof(temporary)) {
        return -ENAMETOOLONG;
    }
    int error = path_check(path);
    if (error == 0) {
        error = file_create(temporary, profile);
    }
    if (error == 0 && rename(temporary, path) != 0) {
        error = -errno;
        unlink(temporary);
    }
    return error;
}

/* A file over the process's limit raises SIGXFSZ, which would end the program. Blocks
 * it; quiet_end takes away the one that came. */
struct quiet {
    sigset_t before;
    bool was_pending;
};

static void quiet_begin(struct quiet *quiet)
{
    sigset_t set;
    sigset_t pending;
    sigemptyset(&set);
    sigaddset(&set, SIGXFSZ);
    pthread_sigmask(SIG_BLOCK, &set, &quiet->before);
    sigpending(&pending);
    quiet->was_pending = sigismember(&pending, SIGXFSZ) == 1;
}

static void quiet_end(const struct quiet *quiet)
{
    sigset_t set;
    struct timespec at_once = {0};
    sigemptyset(&set);
    sigaddset(&set, SIGXFSZ);
    if (!quiet->was_pending) {
        sigtimedwait(&set, NULL, &at_once);
    }
    pthread_sigmask(SIG_SETMASK, &quiet->before, NULL);
}

int probe_heap_write_made(const char *path, const struct buffer *profile)
{
    struct quiet quiet;
    quiet_begin(&quiet);
    int error = file_replace(path, profile);
    quiet_end(&quiet);
    return error;
}

int probe_heap_write_file(const char *path, const char *note,
                          struct heap_sums *ret_sums)
{
    struct buffer profile = {0};
    struct heap_sums sums;
    probe_inside++;
    int error = profile_take(note, &profile, &sums);
    if (error == 0) {
        error = probe_heap_write_made(path, &profile);
    }
    probe_inside--;
    buffer_release(&profile);
    if (error == 0) {
        *ret_sums = sums;
    }
    return error;
}
