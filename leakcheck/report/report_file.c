/*
 * rename(2) is atomic: another program finds the old report or the new one, but never a
 * part of one.
 */
#include "leakcheck/report/report_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

#define TRIES 100
#define BASE_MAX 200 /* bytes of the name that the temporary one repeats */

/* Writes the whole text. Closes the descriptor, also on failure. */
static int text_write(int fd, const char *text, size_t length)
{
    int error = file_write_whole(fd, text, length);
    /* Some file systems report a full disk only here. */
    if (close(fd) != 0 && error == 0) {
        error = -errno;
    }
    return error;
}

static int write_in_place(const char *path, const char *text, size_t length)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    return fd < 0 ? -errno : text_write(fd, text, length);
}

/* Makes a new file ".NAME.1a2b3c" in the directory of `path`; its rights follow the
 * umask, unlike those from mkstemp. Returns its descriptor and sets `name`. */
static int temporary_open(const char *path, char *name, size_t room)
{
    const char *slash = strrchr(path, '/');
    const char *base = slash == NULL ? path : slash + 1;
    for (int i = 0; i < TRIES; i++) {
        uint32_t number = 0;
        if (getrandom(&number, sizeof(number), 0) < 0) {
            return -errno;
        }
        int length = snprintf(name, room, "%.*s.%.*s.%06x", (int)(base - path), path,
                              BASE_MAX, base, number & 0xffffff);
        if ((size_t)length >= room) {
            return -ENAMETOOLONG;
        }
        int fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (fd >= 0 || errno != EEXIST) {
            return fd < 0 ? -errno : fd;
        }
    }
    return -EEXIST;
}

/* `old` is the file that is there now; NULL if there is none. */
static int write_beside(const char *path, const struct stat *old, const char *text,
                        size_t length)
{
    char name[PATH_MAX];
    if (old != NULL && access(path, W_OK) != 0) {
        return -errno;
    }
    int fd = temporary_open(path, name, sizeof(name));
    if (fd < 0) {
        return fd;
    }
    if (old != NULL) {
        fchmod(fd, old->st_mode & 0777); /* if it fails, they follow the umask */
    }
    int error = text_write(fd, text, length);
    if (error == 0 && rename(name, path) != 0) {
        error = -errno;
    }
    if (error != 0) {
        unlink(name);
    }
    return error;
}

static int write_somehow(const char *path, const char *text, size_t length)
{
    struct stat old;
    bool there = lstat(path, &old) == 0;
    if (!there && errno != ENOENT) {
        return -errno;
    }
    if (there && !S_ISREG(old.st_mode)) {
        return write_in_place(path, text, length);
    }
    return write_beside(path, there ? &old : NULL, text, length);
}

static int complain(const char *path, int error, struct failure *failure)
{
    return failure_set(failure, -error, "cannot write %.200s: %s", path,
                       strerror(-error));
}

/* Whether files can be made in the directory of `path`. */
static int directory_check(const char *path)
{
    char directory[PATH_MAX];
    const char *slash = strrchr(path, '/');
    int length = slash == NULL ? 0 : (int)(slash - path) + 1;
    if (length >= (int)sizeof(directory)) {
        return -ENAMETOOLONG;
    }
    snprintf(directory, sizeof(directory), "%.*s", length, path);
    return access(length == 0 ? "." : directory, W_OK | X_OK) == 0 ? 0 : -errno;
}

int report_check(const char *path, struct failure *failure)
{
    struct stat about;
    struct stat target;
    int error = 0;
    bool there = lstat(path, &about) == 0;
    if (!there && (errno != ENOENT || path[0] == '\0')) {
        error = -errno;
    } else if (there && stat(path, &target) == 0) {
        error = S_ISDIR(target.st_mode)   ? -EISDIR
                : access(path, W_OK) != 0 ? -errno
                                          : 0;
    }
    /* A regular file is replaced by a new one in the same directory. */
    if (error == 0 && (!there || S_ISREG(about.st_mode))) {
        error = directory_check(path);
    }
    return error < 0 ? complain(path, error, failure) : 0;
}

int report_write(const char *path, const char *text, size_t length,
                 struct failure *failure)
{
    /* A limit on file sizes, or a pipe without a reader, is an error like any other. */
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    struct sigaction old_size;
    struct sigaction old_pipe;
    sigaction(SIGXFSZ, &ignore, &old_size);
    sigaction(SIGPIPE, &ignore, &old_pipe);
    int error = write_somehow(path, text, length);
    sigaction(SIGXFSZ, &old_size, NULL);
    sigaction(SIGPIPE, &old_pipe, NULL);
    return error < 0 ? complain(path, error, failure) : 0;
}

int report_write_json(const char *path, cJSON *root, struct failure *failure)
{
    char *text = cJSON_Print(root);
    cJSON_Delete(root);
    if (text == NULL) {
        return failure_set(failure, ENOMEM, "out of memory");
    }
    int error = report_write(path, text, strlen(text), failure);
    free(text);
    return error;
}
