/*
 * Reads a file of /proc line by line, into memory of the caller's: a process that is
 * measured must not allocate for it.
 */
#ifndef PROBE_FIGURES_PROC_FILE_H
#define PROBE_FIGURES_PROC_FILE_H

#include <stdbool.h>
#include <stddef.h>

#define PROC_FILE_LINE_MAX 4096 /* bytes, with the newline */

/* Lives in memory that the caller owns. */
struct proc_file {
    int fd;
    int error;    /* 0, or -errno: a read failed */
    bool ended;   /* there is nothing left to read */
    bool skips;   /* the rest of the line that begins at `begin` is not wanted */
    size_t begin; /* what is read and not yet returned: data[begin] to data[end - 1] */
    size_t end;
    char data[PROC_FILE_LINE_MAX];
};

/* Opens a file of /proc: "self/status". Returns 0; or -errno, and then the file need
 * not be closed. */
int probe_proc_file_open(struct proc_file *file, const char *path);

/* The next line, without its newline; it is valid until the next call. A line that does
 * not fit is left out. NULL at the end, and after an error: see `error`. */
char *probe_proc_file_line(struct proc_file *file);

void probe_proc_file_close(struct proc_file *file);

#endif
