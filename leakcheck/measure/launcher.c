#include "leakcheck/measure/launcher.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_program(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISREG(info.st_mode) && access(path, X_OK) == 0;
}

/* Beside this program. */
static bool launcher_beside(char *path, size_t size)
{
    ssize_t length = readlink("/proc/self/exe", path, size - 1);
    path[length > 0 ? length : 0] = '\0';
    char *slash = strrchr(path, '/');
    const char *name = "/leakprobe";
    if (slash == NULL || (size_t)(slash - path) + strlen(name) >= size) {
        return false;
    }
    memcpy(slash, name, strlen(name) + 1);
    return is_program(path);
}

static bool launcher_in_path(char *path, size_t size)
{
    const char *next = getenv("PATH");
    while (next != NULL && next[0] != '\0') {
        size_t length = strcspn(next, ":");
        int written = snprintf(path, size, "%.*s/leakprobe", (int)length, next);
        if (length > 0 && written < (int)size && is_program(path)) {
            return true;
        }
        next += length + (next[length] == ':' ? 1 : 0);
    }
    return false;
}

int launcher_find(char *ret_path, size_t size, const char *option,
                  struct failure *failure)
{
    if (launcher_beside(ret_path, size) || launcher_in_path(ret_path, size)) {
        return 0;
    }
    return failure_set(failure, ENOENT,
                       "%s needs leakprobe, which is neither beside leakcheck nor in "
                       "PATH",
                       option);
}
