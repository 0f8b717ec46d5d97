/*
 * Memory and threads come from status, descriptors from fd/, timers from the file
 * timers, mappings from maps, the start from stat; all of them are in /proc/self.
 */
#include "probe/figures/process_figures.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "probe/figures/child_count.h"
#include "probe/figures/proc_file.h"
#include "probe/process/descriptors.h"

/* Memory and threads: lines "VmRSS:\t  1234 kB", "Threads:\t12". */
static int read_status(struct process_figures *figures)
{
    struct proc_file file;
    int error = probe_proc_file_open(&file, "thread-self/status");
    if (error != 0) {
        return error;
    }
    char *line;
    while ((line = probe_proc_file_line(&file)) != NULL) {
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
        } else if (strcmp(line, "VmSize") == 0) {
            figures->virtual_bytes = value * 1024;
        } else if (strcmp(line, "Threads") == 0) {
            figures->threads = (unsigned)value;
        }
    }
    probe_proc_file_close(&file);
    return file.error;
}

static bool is_socket(int fd)
{
    int type;
    socklen_t size = sizeof(type);
    return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0;
}

/* Whether the descriptor is the probe's and the program is not ours. */
static bool is_foreign(int fd)
{
    return probe_descriptors_from() != 0 && probe_descriptor_is_kept(fd);
}

/* Counts the descriptors among `bytes` bytes of entries, but not `own`. */
static void count_entries(const char *entries, size_t bytes, int own,
                          struct process_figures *figures)
{
    size_t at = 0;
    while (at < bytes) {
        const struct dirent64 *entry = (const void *)(entries + at);
        at += entry->d_reclen;
        int fd = atoi(entry->d_name);
        if (entry->d_name[0] != '.' && fd != own && !is_foreign(fd)) {
            figures->fds++;
            figures->sockets += is_socket(fd);
        }
    }
}

static int count_descriptors(struct process_figures *figures)
{
    int directory = probe_proc_fd_open("fd", O_RDONLY | O_DIRECTORY);
    if (directory < 0) {
        return directory;
    }
    /* readdir would allocate its buffer. */
    _Alignas(struct dirent64) char entries[4096];
    ssize_t got;
    while ((got = getdents64(directory, entries, sizeof(entries))) > 0) {
        count_entries(entries, (size_t)got, directory, figures);
    }
    int error = got < 0 ? -errno : 0;
    close(directory);
    return error;
}

/* Each timer is a block of lines, of which the first is "ID: 3". */
static int count_timers(struct process_figures *figures)
{
    struct proc_file file;
    int error = probe_proc_file_open(&file, "self/timers");
    if (error != 0) {
        /* A kernel built without checkpoint/restore has no such file. */
        return error == -ENOENT ? 0 : error;
    }
    figures->timers_counted = true;
    const char *line;
    while ((line = probe_proc_file_line(&file)) != NULL) {
        figures->timers += strncmp(line, "ID:", 3) == 0;
    }
    probe_proc_file_close(&file);
    return file.error;
}

/* The soft limit of a resource. RLIM_INFINITY is PROCESS_NO_LIMIT. */
static int read_limit(int resource, uint64_t *ret_most)
{
    struct rlimit limit;
    if (getrlimit(resource, &limit) != 0) {
        return -errno;
    }
    *ret_most = limit.rlim_cur;
    return 0;
}

/* What needs no file. */
static int read_calls(struct process_figures *figures)
{
    struct timespec cpu;
    if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu) != 0) {
        return -errno;
    }
    figures->cpu_ns = cpu.tv_sec * CLOCK_NS_PER_SECOND + cpu.tv_nsec;
    int error = read_limit(RLIMIT_NOFILE, &figures->fds_most);
    return error != 0 ? error : read_limit(RLIMIT_AS, &figures->virtual_bytes_most);
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
        error = read_calls(&figures);
    }
    if (error == 0) {
        *ret_figures = figures;
    }
    return error;
}

/* Each line is a mapping. Its end may come in the next part. Returns 0 or -errno. */
static int count_mappings(unsigned *ret_count)
{
    int fd = probe_proc_open("thread-self/maps", O_RDONLY);
    if (fd < 0) {
        return fd;
    }
    char text[4096]; /* the kernel gives no more at once */
    unsigned count = 0;
    ssize_t got;
    while ((got = read(fd, text, sizeof(text))) > 0 || (got < 0 && errno == EINTR)) {
        const char *end = text + (got < 0 ? 0 : got);
        const char *at = text;
        while ((at = memchr(at, '\n', (size_t)(end - at))) != NULL) {
            count++;
            at++;
        }
    }
    int error = got < 0 ? -errno : 0;
    close(fd);
    *ret_count = count;
    return error;
}

void probe_process_read_counts(struct process_counts *ret_counts)
{
    struct process_counts counts = {0};
    counts.mappings_counted = count_mappings(&counts.mappings) == 0;
    counts.children_counted = probe_child_count(&counts.children) == 0;
    *ret_counts = counts;
}

/* The number in a field of stat, counted from 1. Field 2 is the program's name in
 * parentheses, which may have blanks and parentheses in it, so the search begins behind
 * its end. Returns 0 if there is no such field. */
static uint64_t stat_field(const char *line, int number)
{
    const char *at = strrchr(line, ')');
    for (int field = 2; at != NULL && field < number; field++) {
        at = strchr(at, ' ');
        at = at == NULL ? NULL : at + 1;
    }
    return at == NULL ? 0 : strtoull(at, NULL, 10);
}

#define STAT_START_TIME 22 /* in clock ticks after the system's start */

int probe_process_read_start(int64_t *ret_started_ns)
{
    struct proc_file file;
    int error = probe_proc_file_open(&file, "self/stat");
    if (error != 0) {
        return error;
    }
    const char *line = probe_proc_file_line(&file);
    uint64_t ticks = line == NULL ? 0 : stat_field(line, STAT_START_TIME);
    probe_proc_file_close(&file);
    struct timespec now;
    struct timespec running;
    if (ticks == 0 || clock_gettime(CLOCK_REALTIME, &now) != 0 ||
        clock_gettime(CLOCK_BOOTTIME, &running) != 0) {
        return -EIO;
    }
    int64_t boot_ns = (now.tv_sec - running.tv_sec) * CLOCK_NS_PER_SECOND +
                      now.tv_nsec - running.tv_nsec;
    int64_t tick_ns = CLOCK_NS_PER_SECOND / sysconf(_SC_CLK_TCK);
    *ret_started_ns = boot_ns + (int64_t)ticks * tick_ns;
    return 0;
}
