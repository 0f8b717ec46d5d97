/*
 * Reads /proc/PID by one of its threads (task.h). Each file can disappear, or belong to
 * a later process with the same id. So the values count only if the process is still
 * the same one after reading.
 */
#include "leakcheck/measure/process.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/size.h"
#include "leakcheck/measure/task.h"

#define SOCKETS_MAX 64
#define LOOKS 20 /* attempts, because a connection may be just opening or closing */
#define LOOK_PAUSE_MS 10
#define TCP_ESTABLISHED 0x01
#define TCP_LISTEN 0x0a

/* Opens /proc/PID/NAME, in the words of a thread that lives: see task.h. */
static FILE *file_open(int pid, int tid, const char *name)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/task/%d/%s", pid, tid, name);
    return fopen(path, "re");
}

static bool is_alive(const struct process *process)
{
    struct task leader;
    return task_living(process->pid) != 0 &&
           task_read(process->pid, process->pid, &leader) &&
           leader.started == process->started;
}

int process_open(struct process *process, int pid, struct failure *failure)
{
    struct task leader;
    if (!task_read(pid, pid, &leader) || task_living(pid) == 0) {
        return failure_set(failure, ESRCH, "--pid %d: there is no such process", pid);
    }
    *process = (struct process){.pid = pid, .started = leader.started};
    return 0;
}

/* The number of entries of a directory; UNKNOWN if it cannot be read. */
static int64_t entries_count(const char *path)
{
    DIR *directory = opendir(path);
    if (directory == NULL) {
        return UNKNOWN;
    }
    int64_t count = 0;
    const struct dirent *entry;
    while ((entry = readdir(directory)) != NULL) {
        count += entry->d_name[0] != '.';
    }
    closedir(directory);
    return count;
}

static int64_t threads_count(int pid)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/task", pid);
    return entries_count(path);
}

static int64_t fds_count(int pid, int tid)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/task/%d/fd", pid, tid);
    return entries_count(path);
}

/* The number of timers in /proc/PID/timers, which no thread has a file of: each begins
 * with a line "ID: 7". */
static int64_t timers_count(int pid)
{
    char path[64];
    char line[256];
    snprintf(path, sizeof(path), "/proc/%d/timers", pid);
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return UNKNOWN;
    }
    int64_t count = 0;
    while (fgets(line, sizeof(line), file) != NULL) {
        count += strncmp(line, "ID:", 3) == 0;
    }
    fclose(file);
    return count;
}

/* The number of mappings: the lines of /proc/PID/maps. */
static int64_t mappings_count(int pid, int tid)
{
    char part[4096];
    FILE *file = file_open(pid, tid, "maps");
    if (file == NULL) {
        return UNKNOWN;
    }
    int64_t count = 0;
    size_t length;
    while ((length = fread(part, 1, sizeof(part), file)) > 0) {
        for (const char *at = part;
             (at = memchr(at, '\n', length - (size_t)(at - part))) != NULL; at++) {
            count++;
        }
    }
    fclose(file);
    return count > 0 ? count : UNKNOWN; /* every process has some */
}

/* Adds the children that one thread has started: "4243 4244 ". Returns whether the file
 * could be read. */
static bool thread_children_add(int pid, int tid, int64_t *count)
{
    char child[16];
    FILE *file = file_open(pid, tid, "children");
    if (file == NULL) {
        return false;
    }
    while (fscanf(file, "%15s", child) == 1) {
        *count += 1;
    }
    fclose(file);
    return true;
}

/* The number of children, of all threads. A thread may end meanwhile: its children then
 * belong to another one. UNKNOWN if the kernel does not list them. */
static int64_t children_count(int pid)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/task", pid);
    DIR *directory = opendir(path);
    if (directory == NULL) {
        return UNKNOWN;
    }
    int64_t count = 0;
    bool any = false;
    const struct dirent *entry;
    while ((entry = readdir(directory)) != NULL) {
        int tid = atoi(entry->d_name);
        any = (tid > 0 && thread_children_add(pid, tid, &count)) || any;
    }
    closedir(directory);
    return any ? count : UNKNOWN;
}

/* The resident set in bytes: "Rss" of /proc/PID/smaps_rollup, which is exact; if that
 * cannot be read, "VmRSS" of /proc/PID/status, which can be a little late. */
static int64_t resident_bytes(int pid, int tid)
{
    static const char *const sources[][2] = {{"smaps_rollup", "Rss: %" SCNd64},
                                             {"status", "VmRSS: %" SCNd64}};
    for (size_t i = 0; i < 2; i++) {
        char line[256];
        int64_t kilobytes = UNKNOWN;
        FILE *file = file_open(pid, tid, sources[i][0]);
        while (file != NULL && kilobytes == UNKNOWN &&
               fgets(line, sizeof(line), file) != NULL) {
            if (sscanf(line, sources[i][1], &kilobytes) != 1) {
                kilobytes = UNKNOWN;
            }
        }
        if (file != NULL) {
            fclose(file);
        }
        if (kilobytes != UNKNOWN) {
            return kilobytes * KIB;
        }
    }
    return UNKNOWN;
}

/* Reads all values. Returns whether the thread that they were read by still lives: what
 * one that has ended says of descriptors and memory is nothing. */
static bool values_read(int pid, struct resources *resources)
{
    int tid = task_living(pid);
    resources->amount[RESOURCE_THREADS] = threads_count(pid);
    resources->amount[RESOURCE_FDS] = fds_count(pid, tid);
    resources->amount[RESOURCE_TIMERS] = timers_count(pid);
    resources->amount[RESOURCE_RSS] = resident_bytes(pid, tid);
    resources->amount[RESOURCE_MAPPINGS] = mappings_count(pid, tid);
    resources->amount[RESOURCE_CHILDREN] = children_count(pid);
    return tid != 0 && task_lives(pid, tid);
}

int process_read(const struct process *process, struct resources *resources,
                 struct failure *failure)
{
    struct resources found = *resources;
    bool whole = values_read(process->pid, &found);
    for (int i = 1; i < LOOKS && !whole; i++) {
        whole = values_read(process->pid, &found);
    }
    /* Checked last: then all values belong to this process. */
    if (!is_alive(process)) {
        return failure_set(failure, ESRCH,
                           "process %d ended while it was judged; no verdict",
                           process->pid);
    }
    if (!whole) {
        return failure_set(failure, EAGAIN,
                           "the threads of process %d end faster than it can be read; "
                           "no verdict",
                           process->pid);
    }
    *resources = found;
    return 0;
}

/* The inodes of sockets that could belong to the server. */
struct sockets {
    unsigned long connected[SOCKETS_MAX];
    size_t connected_count;
    unsigned long listening[SOCKETS_MAX];
    size_t listening_count;
};

/* Parses one line of /proc/PID/net/tcp or tcp6: "0: 0100007F:1F90 00000000:0000 0A ...
 * inode". */
static void socket_read(const char *line, unsigned port, unsigned client_port,
                        struct sockets *sockets)
{
    unsigned local;
    unsigned remote;
    unsigned state;
    unsigned long inode;
    if (sscanf(line,
               " %*d: %*[0-9A-Fa-f]:%x %*[0-9A-Fa-f]:%x %x %*s %*s %*s %*s %*s %lu",
               &local, &remote, &state, &inode) != 4 ||
        local != port) {
        return;
    }
    if (state == TCP_ESTABLISHED && remote == client_port &&
        sockets->connected_count < SOCKETS_MAX) {
        sockets->connected[sockets->connected_count++] = inode;
    } else if (state == TCP_LISTEN && sockets->listening_count < SOCKETS_MAX) {
        sockets->listening[sockets->listening_count++] = inode;
    }
}

static void sockets_read(int pid, unsigned port, unsigned client_port,
                         struct sockets *sockets)
{
    static const char *const tables[] = {"net/tcp", "net/tcp6"};
    int tid = task_living(pid);
    for (size_t i = 0; i < 2; i++) {
        char line[512];
        FILE *file = file_open(pid, tid, tables[i]);
        while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
            socket_read(line, port, client_port, sockets);
        }
        if (file != NULL) {
            fclose(file);
        }
    }
}

static bool is_among(unsigned long inode, const unsigned long *inodes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (inodes[i] == inode) {
            return true;
        }
    }
    return false;
}

/* Whether the process has one of the sockets open. Returns 0 or -errno. */
static int holds_any(int pid, const unsigned long *inodes, size_t count,
                     bool *ret_holds)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/task/%d/fd", pid, task_living(pid));
    DIR *directory = opendir(path);
    if (directory == NULL) {
        return -errno;
    }
    const struct dirent *entry;
    *ret_holds = false;
    while ((entry = readdir(directory)) != NULL && !*ret_holds) {
        char target[64];
        unsigned long inode;
        ssize_t length =
            readlinkat(dirfd(directory), entry->d_name, target, sizeof(target) - 1);
        target[length > 0 ? length : 0] = '\0';
        *ret_holds = sscanf(target, "socket:[%lu]", &inode) == 1 &&
                     is_among(inode, inodes, count);
    }
    closedir(directory);
    return 0;
}

/* The id of another process that has one of the sockets open; 0 if there is none, or
 * none that this user may see. */
static int other_holder(int pid, const unsigned long *inodes, size_t count)
{
    DIR *directory = opendir("/proc");
    const struct dirent *entry;
    int other = 0;
    while (directory != NULL && other == 0 && (entry = readdir(directory)) != NULL) {
        int found = atoi(entry->d_name);
        bool holds = false;
        if (found > 0 && found != pid && holds_any(found, inodes, count, &holds) == 0 &&
            holds) {
            other = found;
        }
    }
    if (directory != NULL) {
        closedir(directory);
    }
    return other;
}

/* Looks once. Sets *ret_again if the connection exists but the process does not have it
 * open: it may be about to accept it, or may have just closed it. */
static int serves_now(const struct process *process, unsigned port,
                      unsigned client_port, bool *ret_serves, bool *ret_again,
                      struct failure *failure)
{
    int pid = process->pid;
    struct sockets sockets = {0};
    sockets_read(pid, port, client_port, &sockets);
    bool open = sockets.connected_count > 0;
    int error =
        holds_any(pid, open ? sockets.connected : sockets.listening,
                  open ? sockets.connected_count : sockets.listening_count, ret_serves);
    *ret_again = open && error == 0 && !*ret_serves;
    if (error < 0) {
        return failure_set(failure, -error,
                           "--pid %d: cannot look into the process (%s); run leakcheck "
                           "as its user",
                           pid, strerror(-error));
    }
    int other = open || !*ret_serves
                    ? 0
                    : other_holder(pid, sockets.listening, sockets.listening_count);
    if (other != 0) {
        return failure_set(failure, EINVAL,
                           "--pid %d: process %d listens on its port, too, and with a "
                           "connection for each request any of them may answer; run "
                           "the server as one process",
                           pid, other);
    }
    return 0;
}

int process_serves(const struct process *process, unsigned port, unsigned client_port,
                   bool *ret_serves, struct failure *failure)
{
    bool again = true;
    int error = 0;
    for (int i = 0; i < LOOKS && again && error == 0; i++) {
        if (i > 0) {
            clock_sleep_ms(LOOK_PAUSE_MS);
        }
        error = serves_now(process, port, client_port, ret_serves, &again, failure);
    }
    return error;
}
