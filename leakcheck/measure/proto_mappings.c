#include "leakcheck/measure/proto_mappings.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Reads a mapping. One without a path or without addresses is skipped: Java and Node
 * write such. */
static int mapping_read(struct proto_tables *tables, struct arena *arena,
                        struct wire message, struct mapping *ret_mapping)
{
    enum { START = 2, END = 3, OFFSET = 4, PATH = 5 };
    struct mapping mapping = {.path = ""};
    struct wire_field field;
    int error = 0;
    while (error == 0 && wire_next(&message, &field)) {
        switch (field.field) {
        case START:
            mapping.start = field.number;
            break;
        case END:
            mapping.end = field.number;
            break;
        case OFFSET:
            mapping.offset = field.number;
            break;
        case PATH:
            error = proto_text(tables, arena, field.number, &mapping.path);
            break;
        default:
            break;
        }
    }
    *ret_mapping = mapping;
    return error == 0 && message.bad ? -EPROTO : error;
}

static int mapping_compare(const void *left, const void *right)
{
    uint64_t a = ((const struct mapping *)left)->start;
    uint64_t b = ((const struct mapping *)right)->start;
    return a == b ? 0 : a < b ? -1 : 1;
}

/* Keeps the mappings that do not overlap, and finds the program's, which the format
 * puts first. */
static void mappings_order(struct profile *profile, const char *program)
{
    size_t kept = 0;
    qsort(profile->mappings, profile->mapping_count, sizeof(*profile->mappings),
          mapping_compare);
    for (size_t i = 0; i < profile->mapping_count; i++) {
        if (kept == 0 ||
            profile->mappings[i].start >= profile->mappings[kept - 1].end) {
            profile->mappings[kept++] = profile->mappings[i];
        }
    }
    profile->mapping_count = kept;
    for (size_t i = kept; i > 0; i--) {
        if (strcmp(profile->mappings[i - 1].path, program) == 0) {
            profile->program = i - 1;
        }
    }
}

int proto_mappings_read(struct profile *profile, struct proto_tables *tables)
{
    const struct proto_list *list = &tables->mappings;
    if (list->count > PROFILE_MAPPINGS_MAX) {
        return -E2BIG;
    }
    profile->mappings = calloc(list->count + 1, sizeof(*profile->mappings));
    if (profile->mappings == NULL) {
        return -ENOMEM;
    }
    const char *program = "";
    for (size_t i = 0; i < list->count; i++) {
        struct mapping mapping;
        int error =
            mapping_read(tables, &profile->arena, list->items[i].message, &mapping);
        if (error < 0) {
            return error;
        }
        if (mapping.path[0] == '/' && mapping.start < mapping.end) {
            program = profile->mapping_count == 0 ? mapping.path : program;
            profile->mappings[profile->mapping_count++] = mapping;
        }
    }
    mappings_order(profile, program);
    return 0;
}
