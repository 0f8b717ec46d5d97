/*
 * A number is reserved by creating its file with O_EXCL. This fails if the name exists
 * in any form, even as a symbolic link to nothing.
 */
#include "probe/heap/dump_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

/* How many numbers to try while other processes take them first. */
#define TRIES_MAX 1000
#define NUMBER_MAX 999999999UL

struct dump_file {
    int directory; /* descriptors */
    int fd;
    char name[NAME_MAX + 1]; /* "leaky.0001.heap" */
    struct stat made;        /* the identity of the created file */
};

static void name_write(char *to, size_t size, const char *name, unsigned long number)
{
    snprintf(to, size, "%s.%04lu.heap", name, number);
}

/* The number in the name of a directory entry; 0 if it is not such a dump. */
static unsigned long number_of(const char *entry, const char *name)
{
    size_t length = strlen(name);
    if (strncmp(entry, name, length) != 0 || entry[length] != '.') {
        return 0;
    }
    unsigned long number = strtoul(entry + length + 1, NULL, 10);
    char same[NAME_MAX + 1];
    name_write(same, sizeof(same), name, number);
    return number <= NUMBER_MAX && strcmp(same, entry) == 0 ? number : 0;
}

static int number_highest(DIR *directory, const char *name, unsigned long *ret_number)
{
    unsigned long highest = 0;
    struct dirent *entry;
    errno = 0;
    while ((entry = readdir(directory)) != NULL) {
        unsigned long number = number_of(entry->d_name, name);
        highest = number > highest ? number : highest;
        errno = 0;
    }
    *ret_number = highest;
    return -errno;
}

/* Notes the identity of the new file. If that fails, removes it. */
static int file_know(struct dump_file *file)
{
    if (fstat(file->fd, &file->made) == 0) {
        return 0;
    }
    int error = -errno;
    unlinkat(file->directory, file->name, 0);
    return error;
}

/* Creates the file with the first free number from `number` on. */
static int file_create(struct dump_file *file, const char *name, unsigned long number)
{
    for (unsigned i = 0; i < TRIES_MAX; i++) {
        name_write(file->name, sizeof(file->name), name, number + i);
        file->fd = openat(file->directory, file->name,
                          O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
        if (file->fd >= 0) {
            return file_know(file);
        }
        if (errno != EEXIST) {
            return -errno;
        }
    }
    return -EEXIST;
}

/* Removes the file, unless another file has taken its name. */
static void file_remove(const struct dump_file *file)
{
    struct stat there;
    if (fstatat(file->directory, file->name, &there, AT_SYMLINK_NOFOLLOW) == 0 &&
        there.st_dev == file->made.st_dev && there.st_ino == file->made.st_ino) {
        unlinkat(file->directory, file->name, 0);
    }
}

int probe_dump_file_write(const char *directory, const char *name, const char *text,
                          size_t size, char *ret_path, size_t path_size)
{
    DIR *entries = opendir(directory);
    if (entries == NULL) {
        return -errno;
    }
    struct dump_file file = {.directory = dirfd(entries), .fd = -1};
    unsigned long number = 0;
    int error = number_highest(entries, name, &number);
    if (error == 0) {
        error = file_create(&file, name, number + 1);
    }
    if (error == 0) {
        error = file_write_whole(file.fd, text, size);
    }
    /* Some file systems report a full disk only here. */
    if (file.fd >= 0 && close(file.fd) != 0 && errno != EINTR && error == 0) {
        error = -errno;
    }
    if (error == 0) {
        snprintf(ret_path, path_size, "%s/%s", directory, file.name);
    } else if (file.fd >= 0) {
        file_remove(&file);
    }
    closedir(entries);
    return error;
}
