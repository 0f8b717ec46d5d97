/*
 * The children: what the kernel lists in /proc/self/task/TID/children (proc(5)), where
 * each stands with the thread that made it, or got it when that thread ended. While
 * children or threads end, the kernel may leave some out; so those with a note are
 * looked for, too. What each is now stands in /proc/PID/stat.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "probe/process/descriptors.h"
#include "probe/reach/reach.h"
#include "probe/resources/child_notes.h"
#include "probe/resources/resource_list.h"

#define READ_BYTES ((size_t)4096)
#define STAT_BYTES 1024
#define NAME_BYTES 64
#define EXAMPLE_BYTES 192
/* A note is made when its child is there already: one that is older by more than this
 * is of another child, which had the same number. */
#define OLDER_NS (CLOCK_NS_PER_SECOND / 2)

/* ---- Who they are ---- */

struct known {
    pid_t pid;
    bool listed; /* the kernel lists it; else it was noted, and may have ended */
};

/* Appends the numbers in the file, each ended by a space. Returns 0 or -errno. */
static int numbers_read(int fd, struct buffer *ret_children)
{
    char text[READ_BYTES];
    ssize_t got;
    struct known child = {.listed = true};
    while ((got = read(fd, text, sizeof(text))) > 0) {
        for (ssize_t i = 0; i < got; i++) {
            if (text[i] >= '0' && text[i] <= '9') {
                child.pid = child.pid * 10 + (text[i] - '0');
            } else if (child.pid > 0) {
                buffer_append(ret_children, &child, sizeof(child));
                child.pid = 0;
            }
        }
    }
    return got < 0 ? -errno : ret_children->error;
}

/* Appends the children of one thread. Returns 0 or -errno; a thread that has ended has
 * none. */
static int thread_read(const char *tid, struct buffer *ret_children)
{
    char path[64];
    snprintf(path, sizeof(path), "self/task/%.20s/children", tid);
    int fd = probe_proc_open(path, O_RDONLY);
    if (fd < 0) {
        return fd;
    }
    int error = numbers_read(fd, ret_children);
    close(fd);
    return error == -ESRCH ? 0 : error;
}

/* Appends the children of all threads. `ret_known` says whether the kernel has lists of
 * them (CONFIG_PROC_CHILDREN). Returns 0 or -errno. */
static int threads_read(struct buffer *ret_children, bool *ret_known)
{
    char block[READ_BYTES] __attribute__((aligned(8)));
    int directory = probe_proc_open("self/task", O_RDONLY | O_DIRECTORY);
    int error = directory < 0 ? directory : 0;
    ssize_t bytes;
    while (error == 0 && (bytes = getdents64(directory, block, sizeof(block))) > 0) {
        for (ssize_t at = 0; at < bytes && error == 0;) {
            const struct dirent64 *item = (void *)(block + at);
            at += item->d_reclen;
            if (item->d_name[0] == '.') {
                continue;
            }
            error = thread_read(item->d_name, ret_children);
            *ret_known |= error == 0;
            error = error == -ENOENT ? 0 : error;
        }
    }
    if (directory >= 0) {
        close(directory);
    }
    return error;
}

struct noted {
    struct buffer *children;
    uint32_t before;
};

/* Adds those that were noted before the reading began. Takes no note away. */
static bool noted_add(const struct note_entry *entry, void *argument)
{
    struct noted *noted = argument;
    const struct known child = {.pid = (pid_t)entry->key};
    if (entry->note.made < noted->before) {
        buffer_append(noted->children, &child, sizeof(child));
    }
    return false;
}

static int by_number(const void *one, const void *other)
{
    const struct known *first = one;
    const struct known *second = other;
    return first->pid != second->pid         ? (first->pid < second->pid ? -1 : 1)
           : first->listed == second->listed ? 0
                                             : (first->listed ? -1 : 1);
}

/* ---- What each is ---- */

struct child {
    pid_t parent;
    char state;
    long threads;
    int exit_signal;
    int64_t age_ns;
    char name[NAME_BYTES];
};

/* Reads /proc/PID/stat. Returns false if there is no such process. */
static bool child_read(pid_t pid, struct child *ret_child)
{
    char text[STAT_BYTES];
    char path[32];
    snprintf(path, sizeof(path), "%d/stat", (int)pid);
    int fd = probe_proc_open(path, O_RDONLY);
    ssize_t got = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);
    if (fd >= 0) {
        close(fd);
    }
    text[got > 0 ? got : 0] = '\0';
    /* The name may have any characters. Behind it are the state and the parent, as the
     * 18th field the number of threads, as the 20th the time of the start in clock
     * ticks after the system's, and as the 36th the signal that tells of its end. */
    const char *name = strchr(text, '(');
    const char *name_end = strrchr(text, ')');
    int parent;
    unsigned long long start;
    if (name == NULL || name_end == NULL ||
        sscanf(
            name_end + 1,
            " %c %d %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %ld "
            "%*s %llu %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %d",
            &ret_child->state, &parent, &ret_child->threads, &start,
            &ret_child->exit_signal) != 5) {
        return false;
    }
    struct timespec now;
    clock_gettime(CLOCK_BOOTTIME, &now);
    ret_child->parent = (pid_t)parent;
    ret_child->age_ns =
        (int64_t)now.tv_sec * CLOCK_NS_PER_SECOND + now.tv_nsec -
        (int64_t)(start * (CLOCK_NS_PER_SECOND / (uint64_t)sysconf(_SC_CLK_TCK)));
    snprintf(ret_child->name, sizeof(ret_child->name), "%.*s",
             (int)(name_end - name - 1), name + 1);
    return true;
}

/* The end of a child, which stays to be waited for: "exited with 3". */
static void end_read(pid_t pid, char *ret_text, size_t size)
{
    siginfo_t info = {0};
    *ret_text = '\0';
    if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0 ||
        info.si_pid != pid) {
        return;
    }
    const char *how = info.si_code == CLD_EXITED ? "exited with" : "killed by signal";
    snprintf(ret_text, size, "%s %d", how, info.si_status);
}

/* ---- The list ---- */

/* The note of the child, if it is this child's; one of an earlier child with its number
 * is taken away. */
static struct resource_note note_of(pid_t pid, const struct child *child)
{
    struct note_entry entry = {0};
    if (!probe_note_find(&probe_child_notes, (uint64_t)pid, &entry)) {
        return (struct resource_note){0};
    }
    if (probe_resource_age(entry.note) > child->age_ns + OLDER_NS) {
        probe_note_take(&probe_child_notes, (uint64_t)pid, NULL);
        return (struct resource_note){0};
    }
    return entry.note;
}

/* "4250 "sleep", 3.2 s old". */
static void example_write(pid_t pid, const struct child *child, bool ended,
                          char *ret_text, size_t size)
{
    char end[48];
    if (ended) {
        end_read(pid, end, sizeof(end));
        snprintf(ret_text, size, "%d \"%s\" %s, not waited for", (int)pid, child->name,
                 end[0] == '\0' ? "ended" : end);
    } else {
        snprintf(ret_text, size, "%d \"%s\", %.1f s old", (int)pid, child->name,
                 (double)child->age_ns / CLOCK_NS_PER_SECOND);
    }
}

/* The state is that of the main thread, which may have ended before others. */
static bool has_ended(const struct child *child)
{
    return child->state == 'X' || (child->state == 'Z' && child->threads <= 1);
}

/* Returns false if it is no child, or no longer one. */
static bool child_add(struct resource_list *list, const struct known *known)
{
    struct child child;
    char example[EXAMPLE_BYTES];
    bool is_copy = probe_reach_is_copy(known->pid); /* asked while it is there */
    if (!child_read(known->pid, &child) ||
        (!known->listed && child.parent != getpid())) {
        return false;
    }
    bool ended = has_ended(&child);
    struct resource_note note = note_of(known->pid, &child);
    /* The probe's copy of the process tells nobody of its end. Nor do some that the
     * program has cloned. */
    bool is_probes = child.exit_signal == 0 && !ended && note.made == 0 && is_copy;
    const struct resource_item item = {
        .maker = is_probes ? MADE_BY_PROBE : MADE_BY_STACK,
        .note = note,
        .kind = ended ? "ended" : "living",
        .values = {1, ended ? 1 : 0},
    };
    example_write(known->pid, &child, ended, example, sizeof(example));
    probe_resource_list_add(list, &item, example);
    return true;
}

/* Takes the note away, if it is from before the reading: the child was waited for
 * unseen, or the program ignores SIGCHLD. */
static void note_forget(pid_t pid, uint32_t before)
{
    struct note_entry entry;
    if (probe_note_find(&probe_child_notes, (uint64_t)pid, &entry) &&
        entry.note.made < before) {
        probe_note_take(&probe_child_notes, (uint64_t)pid, NULL);
    }
}

static void children_add(struct resource_list *list, const struct known *children,
                         size_t count, uint32_t before)
{
    for (size_t i = 0; i < count; i++) {
        bool again = i > 0 && children[i].pid == children[i - 1].pid;
        if (!again && !child_add(list, &children[i])) {
            note_forget(children[i].pid, before);
        }
    }
    buffer_printf(&list->remarks,
                  "the kernel lists %lld, ended and not waited for %lld; %lld made "
                  "unseen, %lld the probe's own",
                  (long long)list->totals[0], (long long)list->totals[1],
                  (long long)list->unseen[0], (long long)list->probes[0]);
}

static int children_list(struct resource_list *list)
{
    struct buffer children = {0};
    struct noted noted = {&children, probe_resource_now()};
    bool known = false;
    int error = probe_proc_check();
    error = error != 0 ? error : threads_read(&children, &known);
    error = error == 0 && !known ? -ENOTSUP : error;
    if (error == 0) {
        probe_note_sweep(&probe_child_notes, noted_add, &noted);
        error = children.error;
    }
    if (error == 0) {
        size_t count = children.length / sizeof(struct known);
        if (count > 0) {
            qsort(children.data, count, sizeof(struct known), by_number);
        }
        children_add(list, (const struct known *)(const void *)children.data, count,
                     noted.before);
    }
    buffer_release(&children);
    return error;
}

const struct resource_subject probe_children = {
    .name = "children",
    .values = {{"children", "count"}, {"ended", "count"}},
    .list = children_list,
};
