/*
 * A note has the device and the inode of what was opened: the program may close a
 * number by a system call of its own, and then open a file that gets it. A reader takes
 * no lock, because close may be called anywhere.
 */
#include "probe/process/descriptors.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEPT_MAX 128
#define MOVE_TRIES 256
#define MOVE_LEAST 3 /* below are standard input, output and error */

#define FREE 0
#define BEING_WRITTEN (-1)

static struct {
    atomic_int place; /* descriptor + 1, FREE or BEING_WRITTEN */
    dev_t device;
    ino_t inode;
} kept[KEPT_MAX];
/* All that were ever kept are between these: most of the program's numbers are not, and
 * its close does not look through the list for them. */
static atomic_int lowest = INT_MAX;
static atomic_int highest = -1;
static int moved_from;
static struct kept_file proc = {.fd = -1};

int probe_descriptors_from(void)
{
    return moved_from;
}

/* Makes room for the number between the two. */
static void widen(int fd)
{
    int low = atomic_load(&lowest);
    while (fd < low && !atomic_compare_exchange_weak(&lowest, &low, fd)) {
    }
    int high = atomic_load(&highest);
    while (fd > high && !atomic_compare_exchange_weak(&highest, &high, fd)) {
    }
}

/* Notes the number. Returns false if there is no free place. */
static bool note(int fd)
{
    struct stat file;
    widen(fd);
    probe_descriptor_forget(fd); /* what had the number before */
    for (size_t i = 0; i < KEPT_MAX && fstat(fd, &file) == 0; i++) {
        int place = FREE;
        if (atomic_compare_exchange_strong(&kept[i].place, &place, BEING_WRITTEN)) {
            kept[i].device = file.st_dev;
            kept[i].inode = file.st_ino;
            atomic_store(&kept[i].place, fd + 1);
            return true;
        }
    }
    return false;
}

/* Whether the number that is noted at `i` is still what it was. Keeps errno. */
static bool is_there(size_t i, int fd)
{
    struct stat file;
    int saved = errno;
    bool there = fstat(fd, &file) == 0 && file.st_dev == kept[i].device &&
                 file.st_ino == kept[i].inode;
    errno = saved;
    return there;
}

/* A duplicate as high as possible below `from`; -1 if there is none. */
static int duplicate_below(int fd, int from)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return -1;
    }
    int top = limit.rlim_cur < (rlim_t)from ? (int)limit.rlim_cur : from;
    int high = -1;
    for (int i = 1; i <= MOVE_TRIES && high < 0 && top - i >= MOVE_LEAST; i++) {
        high = fcntl(fd, F_DUPFD_CLOEXEC, top - i);
    }
    return high;
}

int probe_descriptor_move(int fd, int from)
{
    if (fd < 0 || fd >= from) {
        return fd;
    }
    int moved = fcntl(fd, F_DUPFD_CLOEXEC, from);
    int error = errno;
    moved = moved < 0 ? duplicate_below(fd, from) : moved;
    if (moved > fd || (moved >= MOVE_LEAST && fd < MOVE_LEAST)) {
        close(fd);
        return moved;
    }
    if (moved >= 0) {
        close(moved);
    }
    if (fd < MOVE_LEAST) {
        close(fd);
        return -error;
    }
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    return fd;
}

int probe_descriptor_keep(int fd)
{
    if (fd < 0) {
        return fd;
    }
    int moved = moved_from == 0 ? fd : probe_descriptor_move(fd, moved_from);
    if (moved >= 0 && !note(moved)) {
        close(moved);
        return -EMFILE;
    }
    return moved;
}

void probe_descriptor_forget(int fd)
{
    for (size_t i = 0; i < KEPT_MAX && fd >= 0; i++) {
        int place = fd + 1;
        if (atomic_compare_exchange_strong(&kept[i].place, &place, FREE)) {
            return;
        }
    }
}

void probe_descriptor_close(int fd)
{
    bool there = probe_descriptor_is_kept(fd);
    /* The number is no longer ours before the program can get it. */
    probe_descriptor_forget(fd);
    if (there) {
        close(fd);
    }
}

bool probe_descriptor_is_kept(int fd)
{
    if (fd < atomic_load_explicit(&lowest, memory_order_relaxed) ||
        fd > atomic_load_explicit(&highest, memory_order_relaxed)) {
        return false;
    }
    for (size_t i = 0; i < KEPT_MAX; i++) {
        if (atomic_load_explicit(&kept[i].place, memory_order_acquire) == fd + 1) {
            return is_there(i, fd);
        }
    }
    return false;
}

int probe_kept_file_set(struct kept_file *file, int fd)
{
    struct stat status;
    int moved = probe_descriptor_keep(fd);
    file->fd = -1;
    if (moved < 0) {
        return moved;
    }
    if (fstat(moved, &status) != 0) {
        return -errno;
    }
    *file = (struct kept_file){moved, status.st_dev, status.st_ino};
    return 0;
}

bool probe_kept_file_check(const struct kept_file *file)
{
    struct stat status;
    return file->fd >= 0 && fstat(file->fd, &status) == 0 &&
           status.st_dev == file->device && status.st_ino == file->inode;
}

void probe_kept_file_close(struct kept_file *file)
{
    if (probe_kept_file_check(file)) {
        probe_descriptor_close(file->fd);
    }
    file->fd = -1;
}

int probe_descriptor_next(int from)
{
    int next = -1;
    for (size_t i = 0; i < KEPT_MAX; i++) {
        int fd = atomic_load_explicit(&kept[i].place, memory_order_acquire) - 1;
        if (fd >= from && (next < 0 || fd < next) && is_there(i, fd)) {
            next = fd;
        }
    }
    return next;
}

int probe_proc_open(const char *path, int flags)
{
    char absolute[256];
    int fd;
    do {
        if (probe_kept_file_check(&proc)) {
            fd = openat(proc.fd, path, flags | O_CLOEXEC);
        } else {
            snprintf(absolute, sizeof(absolute), "/proc/%s", path);
            fd = open(absolute, flags | O_CLOEXEC);
        }
    } while (fd < 0 && errno == EINTR);
    return fd < 0 ? -errno : fd;
}

/* Reads a link of /proc that begins with "/proc/". Returns as readlink does. */
static ssize_t link_read(const char *path, char *ret_text, size_t size)
{
    return probe_kept_file_check(&proc)
               ? readlinkat(proc.fd, path + strlen("/proc/"), ret_text, size)
               : readlink(path, ret_text, size);
}

int probe_proc_check(void)
{
    char text[16] = "";
    ssize_t length = link_read("/proc/self", text, sizeof(text) - 1);
    return length > 0 && atoi(text) != getpid() ? -ESRCH : 0;
}

/* Its memory is gone then, and with that the name of its program. */
static bool main_is_over(void)
{
    char name[1];
    return link_read("/proc/self/exe", name, sizeof(name)) < 0 && errno == ENOENT;
}

int probe_proc_fd_open(const char *path, int flags)
{
    char whole[64];
    const char *of = main_is_over() ? "thread-self" : "self";
    snprintf(whole, sizeof(whole), "%s/%s", of, path);
    return probe_proc_open(whole, flags);
}

int probe_descriptors_protect(int from)
{
    moved_from = from;
    int fd = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
    return probe_kept_file_set(&proc, fd < 0 ? -errno : fd);
}
