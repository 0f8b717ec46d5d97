/*
 * Some thousand small files are read, 64 MiB at most. Files in /usr/lib may be listed
 * in /lib, from the time before the two became one folder.
 */
#include "probe/symbols/packages.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/size.h"

#define LIST_BYTES_MAX ((size_t)(8 * MIB))
#define LISTS_BYTES_MAX ((size_t)(64 * MIB))
#define STEP_BYTES ((size_t)(64 * KIB))

const char *probe_package_lists = "/var/lib/dpkg/info";

static const char *without_usr(const char *path)
{
    return strncmp(path, "/usr/", 5) == 0 ? path + 4 : path;
}

static bool list_read(int directory, const char *name, struct buffer *text)
{
    buffer_clear(text);
    int fd = openat(directory, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ssize_t got = fd < 0 ? -1 : 1;
    while (got > 0 && text->length < LIST_BYTES_MAX) {
        char *end = buffer_reserve(text, STEP_BYTES);
        got = end == NULL ? -1 : read(fd, end, STEP_BYTES);
        if (got > 0) {
            buffer_extend(text, (size_t)got);
        }
    }
    if (fd >= 0) {
        close(fd);
    }
    return got == 0;
}

/* Whether the list has a line with this path. */
static bool list_has(const char *list, const char *path)
{
    const char *wanted = without_usr(path);
    size_t length = strlen(wanted);
    for (const char *at = list; (at = strstr(at, wanted)) != NULL; at += length) {
        const char *begin = at;
        if (begin - list >= 4 && strncmp(begin - 4, "/usr", 4) == 0) {
            begin -= 4;
        }
        if ((begin == list || begin[-1] == '\n') && at[length] == '\n') {
            return true;
        }
    }
    return false;
}

/* Answers the questions whose files are in this list. Returns how many. */
static size_t list_search(const char *list, const char *name,
                          struct package_question *questions, size_t count)
{
    size_t answered = 0;
    size_t length = strcspn(name, ":");
    if (name[length] == '\0') {
        length -= sizeof(".list") - 1;
    }
    for (size_t i = 0; i < count; i++) {
        if (questions[i].package[0] == '\0' && length < PACKAGE_NAME_BYTES &&
            list_has(list, questions[i].path)) {
            memcpy(questions[i].package, name, length);
            questions[i].package[length] = '\0';
            answered++;
        }
    }
    return answered;
}

/* The lists of one piece of the directory, as getdents64 gives it. Returns how many
 * questions they answer. */
static size_t entries_search(int directory, const char *entries, size_t bytes,
                             struct buffer *text, struct package_question *questions,
                             size_t count, size_t *bytes_read)
{
    size_t answered = 0;
    const struct dirent64 *entry = NULL;
    for (size_t at = 0; at < bytes; at += entry->d_reclen) {
        entry = (const struct dirent64 *)(const void *)(entries + at);
        size_t length = strlen(entry->d_name);
        if (length > 5 && strcmp(entry->d_name + length - 5, ".list") == 0 &&
            *bytes_read < LISTS_BYTES_MAX &&
            list_read(directory, entry->d_name, text) && text->length > 0) {
            *bytes_read += text->length;
            answered += list_search(text->data, entry->d_name, questions, count);
        }
    }
    return answered;
}

void probe_packages_find(struct package_question *questions, size_t count)
{
    int directory = open(probe_package_lists, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0) {
        return;
    }
    struct buffer text = {0};
    size_t bytes_read = 0;
    size_t left = count;
    _Alignas(struct dirent64) char entries[16384]; /* readdir would allocate it */
    ssize_t got = 0;
    while (left > 0 && (got = getdents64(directory, entries, sizeof(entries))) > 0) {
        left -= entries_search(directory, entries, (size_t)got, &text, questions, count,
                               &bytes_read);
    }
    buffer_release(&text);
    close(directory);
}

void probe_package_of_symbols(const char *package, char *name, size_t size)
{
    bool older = strcmp(package, "libc6") == 0;
    snprintf(name, size, "%s%s", package, older ? "-dbg" : "-dbgsym");
}
