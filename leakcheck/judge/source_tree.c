#include "leakcheck/judge/source_tree.h"

#include <string.h>

#define FILES_MAX 64 /* short names that are compared */

/* Short names, each once. */
struct names {
    const char *at[FILES_MAX];
    size_t count;
};

static void name_add(struct names *names, const char *file)
{
    for (size_t i = 0; i < names->count; i++) {
        if (strcmp(names->at[i], file) == 0) {
            return;
        }
    }
    if (names->count < FILES_MAX) {
        names->at[names->count++] = file;
    }
}

static void names_collect(struct names *names, const struct profile *shorts)
{
    for (size_t i = 0; i < shorts->count; i++) {
        const struct record *record = &shorts->records[i];
        for (size_t j = 0; j < record->frame_count; j++) {
            const char *file = record->frames[j].file;
            if (file != NULL && file[0] != '/') {
                name_add(names, file);
            }
        }
    }
}

/* The length of the directory before a short name, with its '/'; 0: it has none. */
static size_t directory_length(const struct names *names, const char *file)
{
    size_t length = strlen(file);
    for (size_t i = 0; i < names->count && file[0] == '/'; i++) {
        size_t known = strlen(names->at[i]);
        if (known < length && file[length - known - 1] == '/' &&
            strcmp(file + length - known, names->at[i]) == 0) {
            return length - known;
        }
    }
    return 0;
}

void source_tree_leave_out(char *name, const struct profile *whole,
                           const struct profile *shorts)
{
    struct names names = {.count = 0};
    if (name[0] != '/') {
        return;
    }
    names_collect(&names, shorts);
    for (size_t i = 0; i < whole->count; i++) {
        const struct record *record = &whole->records[i];
        for (size_t j = 0; j < record->frame_count; j++) {
            const char *file = record->frames[j].file;
            size_t length = file == NULL ? 0 : directory_length(&names, file);
            if (length > 0 && strncmp(name, file, length) == 0) {
                memmove(name, name + length, strlen(name + length) + 1);
                return;
            }
        }
    }
}
