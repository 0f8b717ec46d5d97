#include "leakcheck/measure/task.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The name before the fields can hold anything, so they begin after the last
 * parenthesis. */
bool task_read(int pid, int tid, struct task *ret_task)
{
    char path[64];
    char line[1024];
    struct task task;
    snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", pid, tid);
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return false;
    }
    size_t length = fread(line, 1, sizeof(line) - 1, file);
    fclose(file);
    line[length] = '\0';
    const char *after = strrchr(line, ')');
    /* State is the third field, the parent the fourth, the start time the 22nd. */
    if (after == NULL ||
        sscanf(after + 1,
               " %c %d %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s "
               "%*s %*s %" SCNu64,
               &task.state, &task.parent, &task.started) != 3) {
        return false;
    }
    *ret_task = task;
    return true;
}

bool task_lives(int pid, int tid)
{
    struct task task;
    return task_read(pid, tid, &task) && task.state != 'Z' && task.state != 'X';
}

int task_living(int pid)
{
    if (task_lives(pid, pid)) {
        return pid;
    }
    char path[40];
    snprintf(path, sizeof(path), "/proc/%d/task", pid);
    DIR *directory = opendir(path);
    if (directory == NULL) {
        return 0;
    }
    int found = 0;
    const struct dirent *entry;
    while (found == 0 && (entry = readdir(directory)) != NULL) {
        int tid = atoi(entry->d_name);
        found = tid > 0 && task_lives(pid, tid) ? tid : 0;
    }
    closedir(directory);
    return found;
}
