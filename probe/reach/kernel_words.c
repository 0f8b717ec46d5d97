/*
 * Source of both formats: proc(5), /proc/pid/fdinfo and /proc/pid/timers:
 *
 *   tfd:        5 events:       19 data:     55d0c3a1e2b0  pos:0 ino:61af sdev:7
 *
 *   ID: 1
 *   signal: 14/00007fff5b2d1a80
 */
#include "probe/reach/kernel_words.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "probe/process/descriptors.h"

#define EPOLLS_MAX 4096

static const char epoll_name[] = "epoll";
static const char timer_name[] = "timer";

static int epolls[EPOLLS_MAX];
static size_t epolls_count;
static char text[64 * 1024]; /* one reading at a time */

/* Whether the descriptor is epoll's: what its link says. */
static bool is_epoll(int directory, const char *name)
{
    char target[64];
    ssize_t bytes = readlinkat(directory, name, target, sizeof(target) - 1);
    target[bytes < 0 ? 0 : bytes] = '\0';
    return strcmp(target, "anon_inode:[eventpoll]") == 0;
}

int probe_kernel_words_prepare(void)
{
    epolls_count = 0;
    int fd = probe_proc_fd_open("fd", O_RDONLY | O_DIRECTORY);
    if (fd < 0) {
        return fd;
    }
    int error = 0;
    for (;;) {
        ssize_t bytes = getdents64(fd, text, sizeof(text));
        if (bytes <= 0) {
            error = bytes < 0 ? -errno : error;
            break;
        }
        for (ssize_t at = 0; at < bytes;) {
            const struct dirent64 *item = (void *)(text + at);
            at += item->d_reclen;
            if (item->d_name[0] == '.' || !is_epoll(fd, item->d_name)) {
                continue;
            }
            if (epolls_count == EPOLLS_MAX) {
                error = -E2BIG;
            } else {
                epolls[epolls_count++] = (int)strtol(item->d_name, NULL, 10);
            }
        }
    }
    close(fd);
    return error;
}

static int word_add(struct shared_copy *copy, uintptr_t word, const char *what)
{
    if (word == 0) {
        return 0;
    }
    if (copy->words_count == COPY_WORDS_MAX) {
        return -E2BIG;
    }
    copy->words[copy->words_count++] = (struct kernel_word){word, what};
    return 0;
}

/* Adds the hexadecimal number behind `mark` in each line of the file that has `label`;
 * the mark comes with the label or after it. The file is read in parts; a line that two
 * parts share is read whole with the second. `fd` is the open file, which is closed, or
 * -errno. Returns 0 or -errno; a file that is not there has none. */
static int file_read(struct shared_copy *copy, int fd, const char *label, char mark,
                     const char *what)
{
    if (fd < 0) {
        return fd == -ENOENT ? 0 : fd;
    }
    int error = 0;
    size_t kept = 0;
    ssize_t got;
    while (error == 0 && (got = read(fd, text + kept, sizeof(text) - 1 - kept)) > 0) {
        text[kept + (size_t)got] = '\0';
        char *line = text;
        for (char *end; error == 0 && (end = strchr(line, '\n')) != NULL;
             line = end + 1) {
            *end = '\0';
            const char *found = strstr(line, label);
            found = found == NULL ? NULL : strchr(found, mark);
            if (found != NULL) {
                error = word_add(copy, strtoul(found + 1, NULL, 16), what);
            }
        }
        kept = strlen(line);
        memmove(text, line, kept + 1);
        if (kept == sizeof(text) - 1) {
            kept = 0; /* no line of these files is so long */
        }
    }
    close(fd);
    return error;
}

int probe_kernel_words_read(struct shared_copy *copy)
{
    char path[64];
    for (size_t i = 0; i < epolls_count; i++) {
        snprintf(path, sizeof(path), "fdinfo/%d", epolls[i]);
        int fd = probe_proc_fd_open(path, O_RDONLY);
        int error = file_read(copy, fd, " data:", ':', epoll_name);
        if (error != 0) {
            return error;
        }
    }
    /* "signal: 14/00007fff5b2d1a80" */
    int fd = probe_proc_open("self/timers", O_RDONLY);
    return file_read(copy, fd, "signal: ", '/', timer_name);
}
