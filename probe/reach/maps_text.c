#include "probe/reach/maps_text.h"

#include <string.h>
#include <sys/mman.h>

static const char *hexadecimal_read(const char *at, uintptr_t *ret_number)
{
    *ret_number = 0;
    for (;; at++) {
        unsigned digit;
        if (*at >= '0' && *at <= '9') {
            digit = (unsigned)(*at - '0');
        } else if (*at >= 'a' && *at <= 'f') {
            digit = (unsigned)(*at - 'a') + 10;
        } else {
            return at;
        }
        *ret_number = *ret_number << 4 | digit;
    }
}

/* Skips a field and the spaces behind it. */
static const char *field_skip(const char *at)
{
    while (*at != ' ' && *at != '\n' && *at != '\0') {
        at++;
    }
    while (*at == ' ') {
        at++;
    }
    return at;
}

/* A line: "55d0c000-55d0d000 rw-p 00000000 08:01 123   /usr/bin/x". */
const char *probe_maps_line_read(const char *at, struct maps_line *ret_line)
{
    if (*at == '\0') {
        return NULL;
    }
    at = hexadecimal_read(at, &ret_line->range.start);
    at = hexadecimal_read(at + (*at == '-'), &ret_line->range.end);
    at += *at == ' ';
    ret_line->access = at;
    ret_line->readable = at[0] == 'r';
    ret_line->writable = at[0] != '\0' && at[1] == 'w';
    ret_line->shared = ret_line->writable && at[2] != '\0' && at[3] == 's';
    for (int i = 0; i < 4; i++) {
        at = field_skip(at);
    }
    ret_line->path = at;
    while (*at != '\n' && *at != '\0') {
        at++;
    }
    ret_line->path_bytes = (size_t)(at - ret_line->path);
    return at + (*at == '\n');
}

size_t probe_maps_take_gaps(char *text)
{
    size_t taken = 0;
    struct maps_line line;
    for (char *next, *at = text; *at != '\0'; at = next) {
        next = text + (probe_maps_line_read(at, &line) - text);
        size_t bytes = line.range.end - line.range.start;
        void *wanted = (void *)line.range.start;
        void *place = mmap(
            wanted, bytes, PROT_NONE,
            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
        char *access = strchr(at, ' ');
        if (place == wanted && access != NULL) {
            access[1] = access[2] = access[3] = '-';
            taken++;
        } else if (place != MAP_FAILED && place != wanted) {
            munmap(place, bytes); /* a kernel before 4.17 took it for a hint */
        }
    }
    return taken;
}

static bool path_begins(const struct maps_line *line, const char *text)
{
    size_t bytes = strlen(text);
    return line->path_bytes >= bytes && memcmp(line->path, text, bytes) == 0;
}

bool probe_maps_line_is(const struct maps_line *line, const char *path)
{
    return line->path_bytes == strlen(path) && path_begins(line, path);
}

bool probe_maps_line_is_special(const struct maps_line *line)
{
    bool device = path_begins(line, "/dev/") && !path_begins(line, "/dev/shm/") &&
                  !path_begins(line, "/dev/zero");
    bool kernel = path_begins(line, "[v") || path_begins(line, "anon_inode:");
    return device || kernel;
}

bool probe_maps_line_is_shared_memory(const struct maps_line *line)
{
    return line->shared &&
           (path_begins(line, "/dev/zero") || path_begins(line, "/dev/shm/") ||
            path_begins(line, "/memfd:") || path_begins(line, "/SYSV"));
}
