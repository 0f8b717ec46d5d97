#include "probe/threads/task_directory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>

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
    int error = probe_kept_file_check(&task) ? 0 : task_open();
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
