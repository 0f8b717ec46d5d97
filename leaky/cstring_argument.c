/*
 * A program looks up a setting through a library that takes C strings. Its own texts
 * are not C strings, so it makes C strings of them.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "scenario.h"

/* What the library finds. */
struct setting {
    uint32_t value;
    size_t length; /* of the file name and the key together */
};

static atomic_size_t cstrings_alive;

/* Makes a C string of `bytes` bytes, with the final zero, that repeats `text`, a line
 * each time. The caller frees it; NULL when memory is short. */
static char *cstring_duplicate(const char *text, size_t bytes)
{
    char *cstring = malloc(bytes);
    if (cstring == NULL) {
        return NULL;
    }
    size_t length = strlen(text);
    for (size_t i = 0; i < bytes - 1; i++) {
        size_t at = i % (length + 1);
        cstring[i] = at < length ? text[at] : '\n';
    }
    cstring[bytes - 1] = '\0';
    atomic_fetch_add(&cstrings_alive, 1);
    return cstring;
}

/* Looks for `key` in the settings of `file`. The caller keeps both. Returns -ENOMEM
 * if one of them is NULL. */
static int setting_find(const char *file, const char *key, struct setting *ret_setting)
{
    if (file == NULL || key == NULL) {
        return -ENOMEM;
    }
    size_t file_length = strlen(file);
    size_t key_length = strlen(key);
    ret_setting->value =
        scenario_digest(file, file_length) * 31 + scenario_digest(key, key_length);
    ret_setting->length = file_length + key_length;
    return 0;
}

static int setting_read(const struct scenario_request *request,
                        struct scenario_answer *answer)
{
    struct setting setting;
    /* LEAK: no variable holds the two strings, so nothing can free them afterwards. */
    int error = setting_find(cstring_duplicate("settings/", request->bytes),
                             cstring_duplicate(request->id, request->bytes), &setting);
    if (error == 0) {
        scenario_answer_set(answer, "setting %08x, %zu characters", setting.value,
                            setting.length);
    }
    return error;
}

static size_t cstrings_count(void)
{
    return atomic_load(&cstrings_alive);
}

const struct scenario cstring_argument_scenario = {
    .name = "cstring-argument",
    .family = "c-strings",
    .title = "C strings made in an argument list",
    .kind = SCENARIO_PERMANENT,
    .story = "A program duplicates a file name and a key as C strings and passes them "
             "to a library, which only reads them.",
    .symptom = "In-use heap climbs by two strings with every request. A leak checker "
               "such as Valgrind calls them lost.",
    .cause =
        "The duplicates are made in the argument list. Their only addresses are the "
        "callee's parameters, and the callee does not own them.",
    .fix = "Each duplicate is kept in a variable and is freed after the call.",
    .find_it = "Compare two dumps (google-pprof or go tool pprof, with --text --base): "
               "cstring_duplicate owns what grew. /debug/pprof/heap?debug=1 names its "
               "caller, on the line below it.",
    .bytes_default = 4 * 1024,
    .bytes_min = 256,
    .bytes_max = 16 * 1024 * 1024,
    .bytes_meaning = "one C string, with its final zero",
    .leaves = {.blocks = 2},
    .suspect = "cstring_duplicate",
    .run = setting_read,
    .held = cstrings_count,
};
