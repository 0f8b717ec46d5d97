/*
 * A descriptor is still ours if it has the device and the inode that it was opened
 * with: the program may have closed it, and then opened a file that got its number.
 */
#include "probe/threads/task_directory.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

struct kept {
    int fd; /* -1: none */
    dev_t device;
    ino_t inode;
};

static struct kept task = {.fd = -1};
static struct kept proc = {.fd = -1};
static int lowest; /* number that a descriptor gets, if it can */
static bool opened;

static bool kept_is_there(const struct kept *kept)
{
    struct stat status;
    return kept->fd >= 0 && fstat(kept->fd, &status) == 0 &&
           status.st_dev == kept->device && status.st_ino == kept->inode;
}

/* Keeps an open descriptor under a high number. `fd` may be -1, with errno set. Returns
 * 0 or -errno. */
static int kept_set(struct kept *kept, int fd)
{
    struct stat status;
    kept->fd = -1;
    if (fd < 0 || fstat(fd, &status) != 0) {
        return -errno;
    }
    int high = fd < lowest ? fcntl(fd, F_DUPFD_CLOEXEC, lowest) : -1;
    if (high >= 0) {
        close(fd);
        fd = high;
    }
    *kept = (struct kept){fd, status.st_dev, status.st_ino};
    return 0;
}

static int task_open(void)
{
    int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
    int fd = kept_is_there(&proc) ? openat(proc.fd, "self/task", flags) : -1;
    return kept_set(&task, fd >= 0 ? fd : open("/proc/self/task", flags));
}

int probe_task_directory_open(void)
{
    opened = true;
    return task_open();
}

void probe_task_directory_settle(int fd_from)
{
    lowest = fd_from;
    kept_set(&proc, open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (task.fd >= 0) {
        kept_set(&task, task.fd);
    }
}

int probe_task_directory(void)
{
    if (!opened) {
        return -ENOTSUP;
    }
    int error = kept_is_there(&task) ? 0 : task_open();
    return error == 0 ? task.fd : error;
}

int probe_task_directory_fork_child(void)
{
    if (!opened) {
        return 0;
    }
    if (kept_is_there(&task)) {
        close(task.fd);
    }
    return task_open();
}

bool probe_task_directory_owns(int fd)
{
    return fd >= 0 && (fd == task.fd || fd == proc.fd);
}
