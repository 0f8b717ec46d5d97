#include "probe/threads/task_directory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>

#include "probe/process/descriptors.h"

static int task_fd = -1;
static bool opened;

static int task_open(void)
{
    int fd = probe_proc_open("self/task", O_RDONLY | O_DIRECTORY);
    task_fd = probe_descriptor_keep(fd);
    return task_fd < 0 ? task_fd : 0;
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
    int error = probe_descriptor_is_kept(task_fd) ? 0 : task_open();
    return error == 0 ? task_fd : error;
}

int probe_task_directory_fork_child(void)
{
    if (!opened) {
        return 0;
    }
    probe_descriptor_close(task_fd);
    return task_open();
}
