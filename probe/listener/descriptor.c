#include "probe/listener/descriptor.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "probe/process/descriptors.h"

#define TRIES 256
#define LOWEST 3 /* below are standard input, output and error */

/* A duplicate with a high number; `fd` itself if there is none. */
static int duplicate_high(int fd, int from)
{
    int high = fcntl(fd, F_DUPFD_CLOEXEC, from);
    struct rlimit limit;
    if (high >= 0 || getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return high >= 0 ? high : fd;
    }
    int top = limit.rlim_cur < (rlim_t)from ? (int)limit.rlim_cur : from;
    for (int i = 1; i <= TRIES && high < 0 && top - i >= LOWEST; i++) {
        high = fcntl(fd, F_DUPFD_CLOEXEC, top - i);
    }
    return high >= 0 ? high : fd;
}

int probe_descriptor_take(struct descriptor *descriptor, int fd, int from)
{
    int high = fd >= from ? fd : duplicate_high(fd, from);
    if (high != fd) {
        close(fd);
    }
    struct stat file;
    if (high < LOWEST || fstat(high, &file) != 0) {
        close(high);
        return -EMFILE;
    }
    descriptor->device = file.st_dev;
    descriptor->inode = file.st_ino;
    probe_descriptor_note(high); /* without it the program could close it */
    atomic_store(&descriptor->fd, high);
    return 0;
}

bool probe_descriptor_check(struct descriptor *descriptor)
{
    struct stat file;
    int fd = atomic_load(&descriptor->fd);
    if (fd >= 0 && fstat(fd, &file) == 0 && file.st_dev == descriptor->device &&
        file.st_ino == descriptor->inode) {
        return true;
    }
    probe_descriptor_forget(fd);
    atomic_store(&descriptor->fd, -1);
    return false;
}

void probe_descriptor_close(struct descriptor *descriptor)
{
    if (probe_descriptor_check(descriptor)) {
        /* The number is no longer ours before the program can get it. */
        probe_descriptor_drop(atomic_exchange(&descriptor->fd, -1));
    }
}
