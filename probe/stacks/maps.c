/*
 * Reads and parses /proc/self/maps. The descriptor is opened once and kept, so mappings
 * can still be read when the process has no free descriptor.
 */
#include "probe/stacks/maps.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "probe/process/descriptors.h"

#define READ_BYTES ((size_t)32 * 1024)

static struct kept_file maps_file = {.fd = -1};
static pthread_mutex_t maps_lock = PTHREAD_MUTEX_INITIALIZER;

/* Goes to the beginning of the file, with the lock taken: the kernel makes the text
 * again when the offset goes back to zero, so one descriptor is enough; the lock keeps
 * two readers apart. Returns 0 or -errno. */
static int file_begin(void)
{
    int error = 0;
    pthread_mutex_lock(&maps_lock);
    if (!probe_kept_file_check(&maps_file)) {
        error = probe_kept_file_set(&maps_file,
                                    probe_proc_open("thread-self/maps", O_RDONLY));
    }
    if (error == 0 && lseek(maps_file.fd, 0, SEEK_SET) < 0) {
        error = -errno;
    }
    return error;
}

/* Reads once. Returns how many bytes, 0 at the end, or -errno. */
static ssize_t file_read(char *text, size_t size)
{
    ssize_t got;
    do {
        got = read(maps_file.fd, text, size);
    } while (got < 0 && errno == EINTR);
    return got < 0 ? -errno : got;
}

static int text_read(struct buffer *text)
{
    int error = file_begin();
    while (error == 0) {
        char *end = buffer_reserve(text, READ_BYTES);
        if (end == NULL) {
            error = text->error;
            break;
        }
        ssize_t got = file_read(end, READ_BYTES);
        if (got <= 0) {
            error = (int)got;
            break;
        }
        buffer_extend(text, (size_t)got);
    }
    pthread_mutex_unlock(&maps_lock);
    return error;
}

ssize_t probe_maps_read_text(char *text, size_t size)
{
    ssize_t got = file_begin();
    size_t length = 0;
    if (got == 0) {
        while ((got = file_read(text + length, size - length)) > 0) {
            length += (size_t)got;
        }
    }
    pthread_mutex_unlock(&maps_lock);
    if (got < 0) {
        return got;
    }
    if (length == size) {
        return -E2BIG;
    }
    text[length] = '\0';
    return (ssize_t)length;
}

void probe_maps_fork_child(void)
{
    probe_kept_file_close(&maps_file);
}

/* Adds the mapping of one line if it is code and has a name. `path` holds the offset in
 * `paths` for now, because that buffer may still move. */
static void line_parse(struct maps *maps, const char *line, size_t length)
{
    /* A process of 10,000 threads has 20,000 mappings, nearly all of them stacks. So a
     * line that is not code is skipped early. */
    const char *permissions = memchr(line, ' ', length);
    if (permissions == NULL || length - (size_t)(permissions - line) < 5 ||
        permissions[3] != 'x') {
        return;
    }
    uintptr_t start = 0;
    uintptr_t end = 0;
    uint64_t offset = 0;
    int path_at = 0;
    if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %*s %" SCNx64 " %*s %*s %n", &start,
               &end, &offset, &path_at) < 3) {
        return;
    }
    if (path_at == 0 || (size_t)path_at >= length || end <= start) {
        return;
    }
    struct mapping entry = {.start = start, .end = end, .offset = offset};
    entry.path = (const char *)(uintptr_t)maps->paths.length;
    buffer_append(&maps->paths, line + path_at, length - (size_t)path_at);
    buffer_append(&maps->paths, "", 1);
    buffer_append(&maps->entries, &entry, sizeof(entry));
    maps->count++;
}

int probe_maps_read(struct maps *maps)
{
    buffer_clear(&maps->text);
    buffer_clear(&maps->paths);
    buffer_clear(&maps->entries);
    maps->count = 0;
    int error = text_read(&maps->text);
    if (error != 0) {
        return error;
    }
    const char *line = maps->text.data;
    const char *newline = NULL;
    while (line != NULL && (newline = strchr(line, '\n')) != NULL) {
        line_parse(maps, line, (size_t)(newline - line));
        line = newline + 1;
    }
    if (maps->paths.error != 0 || maps->entries.error != 0) {
        maps->count = 0;
        return -ENOMEM;
    }
    struct mapping *entries = (struct mapping *)(void *)maps->entries.data;
    for (size_t i = 0; i < maps->count; i++) {
        entries[i].path = maps->paths.data + (uintptr_t)entries[i].path;
    }
    return 0;
}

const struct mapping *probe_maps_entries(const struct maps *maps)
{
    return (const struct mapping *)(const void *)maps->entries.data;
}

void probe_maps_release(struct maps *maps)
{
    buffer_release(&maps->text);
    buffer_release(&maps->paths);
    buffer_release(&maps->entries);
    maps->count = 0;
}
