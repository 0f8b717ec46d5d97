/*
 * Memory and threads come from status, descriptors from fd/, timers from the file
 * timers; all of them are in /proc/self.
 */
#include "probe/figures/process_figures.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Memory and threads: lines "VmRSS:\t  1234 kB", "Threads:\t12". */
static int read_status(struct process_figures *figures)
{
    FILE *file = fopen("/proc/self/status", "re");
    if (file == NULL) {
        return -errno;
    }
    char line[256];
    while (fgets(line, sizeof(line), file) != NULL) {
        char *end = strchr(line, ':');
        if (end == NULL) {
            continue;
        }
        *end = '\0';
        uint64_t value = strtoull(end + 1, NULL, 10);
        if (strcmp(line, "VmRSS") == 0) {
            figures->rss_bytes = value * 1024;
        } else if (strcmp(line, "VmHWM") == 0) {
            figures->peak_rss_bytes = value * 1024;
        } else if (strcmp(line, "Threads") == 0) {
            figures->threads = (unsigned)value;
        }
    }
    int error = ferror(file) ? -EIO : 0;
    fclose(file);
    return error;
}

static int count_descriptors(struct process_figures *figures)
{
    DIR *directory = opendir("/proc/self/fd");
    if (directory == NULL) {
        return -errno;
    }
    struct dirent *entry;
    while ((entry = readdir(directory)) != NULL) {
        if (entry->d_name[0] == '.' || atoi(entry->d_name) == dirfd(directory)) {
            continue;
        }
        figures->fds++;
        /* The link's target says what the descriptor is: "socket:[12345]". */
        char target[16];
        ssize_t length =
            readlinkat(dirfd(directory), entry->d_name, target, sizeof(target));
        if (length >= 7 && memcmp(target, "socket:", 7) == 0) {
            figures->sockets++;
        }
    }
    closedir(directory);
    return 0;
}

/* Each timer is a block of lines, of which the first is "ID: 3". */
static int count_timers(struct process_figures *figures)
{
    FILE *file = fopen("/proc/self/timers", "re");
    if (file == NULL) {
        /* A kernel built without checkpoint/restore has no such file. */
        return errno == ENOENT ? 0 : -errno;
    }
    char line[256];
    while (fgets(line, sizeof(line), file) != NULL) {
        if (strncmp(line, "ID:", 3) == 0) {
            figures->timers++;
        }
    }
    int error = ferror(file) ? -EIO : 0;
    fclose(file);
    return error;
}

int probe_process_read_figures(struct process_figures *ret_figures)
{
    struct process_figures figures = {0};
    int error = read_status(&figures);
    if (error == 0) {
        error = count_descriptors(&figures);
    }
    if (error == 0) {
        error = count_timers(&figures);
    }
    if (error == 0) {
        *ret_figures = figures;
    }
    return error;
}
