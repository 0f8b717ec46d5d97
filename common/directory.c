/*
 * Creates directories, tests them with a file, and removes them.
 */
#include "directory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "variant.h"

int directory_prepare(const char *path)
{
    if (mkdir(path, 0755) != 0 && errno != EEXIST) {
        return -errno;
    }
    char probe[1024];
    snprintf(probe, sizeof(probe), "%s/.%s-%d", path, variant.name, getpid());
    int fd = open(probe, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        return -errno;
    }
    close(fd);
    return unlink(probe) == 0 ? 0 : -errno;
}

int directory_make(char *path, size_t size)
{
    const char *parent = getenv("TMPDIR");
    if (parent == NULL || parent[0] != '/') {
        parent = "/tmp";
    }
    int length = snprintf(path, size, "%s/%s-XXXXXX", parent, variant.name);
    if (length < 0 || (size_t)length >= size) {
        return -ENAMETOOLONG;
    }
    return mkdtemp(path) == NULL ? -errno : 0;
}

void directory_remove(const char *path)
{
    DIR *directory = opendir(path);
    if (directory == NULL) {
        return;
    }
    struct dirent *entry;
    while ((entry = readdir(directory)) != NULL) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            unlinkat(dirfd(directory), entry->d_name, 0);
        }
    }
    closedir(directory);
    rmdir(path);
}
