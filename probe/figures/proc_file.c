/*
 * A read of /proc ends wherever the kernel likes, so a line may come in several parts.
 */
#include "probe/figures/proc_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "probe/process/descriptors.h"

int probe_proc_file_open(struct proc_file *file, const char *path)
{
    file->error = 0;
    file->ended = false;
    file->skips = false;
    file->begin = 0;
    file->end = 0;
    file->fd = probe_proc_open(path, O_RDONLY);
    return file->fd < 0 ? file->fd : 0;
}

/* Reads more, behind what is not yet returned. */
static void fill(struct proc_file *file)
{
    memmove(file->data, file->data + file->begin, file->end - file->begin);
    file->end -= file->begin;
    file->begin = 0;
    if (file->end == sizeof(file->data)) {
        file->skips = true;
        file->end = 0;
    }
    ssize_t got;
    do {
        got = read(file->fd, file->data + file->end, sizeof(file->data) - file->end);
    } while (got < 0 && errno == EINTR);
    if (got < 0) {
        file->error = -errno;
    } else {
        file->end += (size_t)got;
    }
    file->ended = got <= 0;
}

char *probe_proc_file_line(struct proc_file *file)
{
    while (!file->ended) {
        char *line = file->data + file->begin;
        char *newline = memchr(line, '\n', file->end - file->begin);
        if (newline == NULL) {
            fill(file);
            continue;
        }
        *newline = '\0';
        file->begin = (size_t)(newline + 1 - file->data);
        if (!file->skips) {
            return line;
        }
        file->skips = false;
    }
    return NULL;
}

void probe_proc_file_close(struct proc_file *file)
{
    close(file->fd);
}
