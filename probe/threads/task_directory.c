#include "probe/threads/task_directory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "probe/process/descriptors.h"

static struct kept_file task = {.fd = -1};
static bool opened;

static int task_open(void)
{
    return probe_kept_file_set(&task,
                               probe_proc_open("self/task", O_RDONLY | O_DIRECTORY));
}

int probe_task_directory_open(void)
{
    opened = true;
    return task_open();
}

int probe_task_directory(void)
{
    if (!opened) {
        return -ENOTSUP;
    }
    int error = probe_proc_check();
    if (error == 0 && !probe_kept_file_check(&task)) {
        error = task_open();
    }
    return error == 0 ? task.fd : error;
}

int probe_task_directory_fork_child(void)
{
    if (!opened) {
        return 0;
    }
    probe_kept_file_close(&task);
    return task_open();
}

int probe_task_each(int task_fd, void (*each)(pid_t tid, void *argument),
                    void *argument)
{
    char block[16 * 1024] __attribute__((aligned(8)));
    if (lseek(task_fd, 0, SEEK_SET) < 0) {
        return -errno;
    }
    for (;;) {
        ssize_t bytes = getdents64(task_fd, block, sizeof(block));
        if (bytes <= 0) {
            return bytes < 0 ? -errno : 0;
        }
        for (ssize_t at = 0; at < bytes;) {
            const struct dirent64 *item = (void *)(block + at);
            at += item->d_reclen;
            pid_t tid = (pid_t)strtol(item->d_name, NULL, 10);
            if (tid > 0) {
                each(tid, argument);
            }
        }
    }
}
