/*
 * The children of a thread that ends go to another thread of the process: to the main
 * one while it lives. So the main thread is asked last: then nothing is missed. And
 * nothing is counted twice if the other threads with children still have as many
 * afterwards.
 */
#include "probe/figures/child_count.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "probe/figures/proc_file.h"
#include "probe/process/descriptors.h"

#define ATTEMPTS 3

struct parent {
    pid_t tid;
    int children;
};

/* One look at all threads. */
struct look {
    int tasks; /* /proc/self/task */
    unsigned threads;
    unsigned children;
    bool vanished; /* a thread ended before it was asked */
    unsigned parent_count;
    struct parent parents[CHILD_COUNT_THREADS_MOST];
};

/* Whether there are no children at all. That takes one call, however many threads there
 * are. It waits for nothing, and leaves ended children as they are. */
static bool is_childless(void)
{
    int flags = WEXITED | WNOHANG | WNOWAIT | __WALL;
    siginfo_t unused; /* the kernel needs none, but Valgrind wants it */
    return syscall(SYS_waitid, P_ALL, 0, &unused, flags, NULL) != 0 && errno == ECHILD;
}

/* The children of a thread, or -errno. The file has a blank behind each number. */
static int children_of(int tasks, pid_t tid)
{
    char path[32];
    snprintf(path, sizeof(path), "%d/children", (int)tid);
    int fd = openat(tasks, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return -errno;
    }
    char text[4096];
    int count = 0;
    ssize_t got;
    while ((got = read(fd, text, sizeof(text))) > 0 || (got < 0 && errno == EINTR)) {
        for (ssize_t i = 0; i < got; i++) {
            count += text[i] == ' ';
        }
    }
    count = got < 0 ? -errno : count;
    close(fd);
    return count;
}

static bool is_gone(int error)
{
    return error == -ENOENT || error == -ESRCH;
}

/* Asks one thread. Returns 0 or -errno. */
static int look_at(struct look *look, pid_t tid)
{
    if (++look->threads > CHILD_COUNT_THREADS_MOST) {
        return -EOPNOTSUPP;
    }
    int children = children_of(look->tasks, tid);
    if (children < 0) {
        look->vanished = true;
        return is_gone(children) ? 0 : children;
    }
    if (children > 0) {
        look->parents[look->parent_count++] = (struct parent){tid, children};
        look->children += (unsigned)children;
    }
    return 0;
}

/* Asks all threads but the main one. */
static int look_at_others(struct look *look)
{
    if (lseek(look->tasks, 0, SEEK_SET) < 0) {
        return -errno;
    }
    pid_t main_thread = getpid();
    _Alignas(struct dirent64) char entries[4096];
    ssize_t got;
    while ((got = getdents64(look->tasks, entries, sizeof(entries))) > 0) {
        for (size_t at = 0; at < (size_t)got;) {
            const struct dirent64 *entry = (const void *)(entries + at);
            at += entry->d_reclen;
            pid_t tid = atoi(entry->d_name);
            int error = tid == 0 || tid == main_thread ? 0 : look_at(look, tid);
            if (error != 0) {
                return error;
            }
        }
    }
    return got < 0 ? -errno : 0;
}

/* Whether the main thread has ended, which it can without the process: then nobody
 * knows where the children of another one have gone. */
static bool main_has_ended(void)
{
    struct proc_file file;
    if (probe_proc_file_open(&file, "self/stat") != 0) {
        return true;
    }
    const char *line = probe_proc_file_line(&file);
    const char *name_end = line == NULL ? NULL : strrchr(line, ')');
    bool ended = name_end == NULL || strncmp(name_end, ") Z", 3) == 0;
    probe_proc_file_close(&file);
    return ended;
}

/* Whether children may have been missed, or counted twice. */
static bool is_doubtful(const struct look *look)
{
    for (unsigned i = 0; i < look->parent_count; i++) {
        const struct parent *parent = &look->parents[i];
        if (children_of(look->tasks, parent->tid) != parent->children) {
            return true;
        }
    }
    return look->vanished && main_has_ended();
}

/* Counts the children once. Returns -EAGAIN if they moved meanwhile. */
static int count_once(int tasks, unsigned *ret_count)
{
    struct look look = {.tasks = tasks};
    int error = look_at_others(&look);
    if (error == 0) {
        int children = children_of(tasks, getpid());
        error = children < 0 ? children : 0;
        *ret_count = look.children + (unsigned)children;
    }
    return error == 0 && is_doubtful(&look) ? -EAGAIN : error;
}

/* The kernel counts each thread as a link of the directory. */
static bool are_too_many(int tasks)
{
    struct stat directory;
    return fstat(tasks, &directory) == 0 &&
           directory.st_nlink > 2 + CHILD_COUNT_THREADS_MOST;
}

int probe_child_count(unsigned *ret_count)
{
    int tasks = probe_proc_open("self/task", O_RDONLY | O_DIRECTORY);
    if (tasks < 0) {
        return tasks;
    }
    unsigned count = 0;
    /* Asked first, so that a kernel without these files never says 0. */
    int children = children_of(tasks, getpid());
    int error = children < 0 ? children : 0;
    if (error == 0 && !is_childless()) {
        error = are_too_many(tasks) ? -EOPNOTSUPP : -EAGAIN;
        for (int i = 0; i < ATTEMPTS && error == -EAGAIN; i++) {
            error = count_once(tasks, &count);
        }
    }
    close(tasks);
    if (error == 0) {
        *ret_count = count;
    }
    return error;
}
