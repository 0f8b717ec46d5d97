#include "probe/resources/mapping_kind.h"

#include <stddef.h>
#include <string.h>

/* By how the path begins, or the word that the kernel shows in its place. */
static const struct {
    const char *beginning;
    const char *kind;
} kinds[] = {
    {"[heap]", "heap"},         {"[stack", "stack"},       {"[v", "vdso"},
    {"[anon_shmem:", "shared"}, {"[", "anonymous"},        {"/dev/zero", "shared"},
    {"/dev/shm/", "shared"},    {"/SYSV", "shared"},       {"/memfd:", "memfd"},
    {"/dev/", "device"},        {"anon_inode:", "device"},
};

static bool begins(const struct maps_line *line, const char *beginning)
{
    size_t bytes = strlen(beginning);
    return line->path_bytes >= bytes && memcmp(line->path, beginning, bytes) == 0;
}

bool probe_mapping_same_file(const struct maps_line *one, const struct maps_line *other)
{
    return one->path_bytes == other->path_bytes &&
           memcmp(one->path, other->path, one->path_bytes) == 0;
}

bool probe_mapping_is_code(const struct maps_line *first, const char *next)
{
    struct maps_line line = *first;
    do {
        if (line.access[2] == 'x') {
            return true;
        }
        next = probe_maps_line_read(next, &line);
    } while (next != NULL && probe_mapping_same_file(&line, first));
    return false;
}

const char *probe_mapping_kind(const struct maps_line *line, bool is_code)
{
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (begins(line, kinds[i].beginning)) {
            return kinds[i].kind;
        }
    }
    if (line->path_bytes > 0) {
        return is_code ? "library" : "file";
    }
    return line->access[3] == 's' ? "shared" : "anonymous";
}

bool probe_mapping_is_kernels(const struct maps_line *line)
{
    return begins(line, "[stack") || begins(line, "[v");
}

bool probe_mapping_is_brk(const struct maps_line *line)
{
    return begins(line, "[heap]");
}
