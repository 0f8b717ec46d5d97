/*
 * A program looks up a setting through a library that takes C strings. Its own texts
 * are not C strings, so it makes C strings of them.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "scenario.h"

static atomic_size_t cstrings_alive;
static atomic_size_t settings_found;

/* Makes a C string of `bytes` bytes, with the final zero, that repeats `text`. The
 * caller frees it; NULL when memory is short. */
static char *cstring_duplicate(const char *text, size_t bytes)
{
    char *cstring = malloc(bytes);
    if (cstring == NULL) {
        return NULL;
    }
    size_t length = strlen(text);
    for (size_t i = 0; i < bytes - 1; i++) {
        cstring[i] = text[i % length];
    }
    cstring[bytes - 1] = '\0';
    atomic_fetch_add(&cstrings_alive, 1);
    return cstring;
}

/* Looks for `key` in the settings of `file`. The caller keeps both. Returns -ENOMEM
 * if one of them is NULL. */
static int setting_find(const char *file, const char *key)
{
    if (file == NULL || key == NULL) {
        return -ENOMEM;
    }
    if (strcmp(file, key) != 0) {
        atomic_fetch_add(&settings_found, 1);
    }
    return 0;
}

/* Takes NULL. */
static void cstring_release(char *cstring)
{
    if (cstring != NULL) {
        free(cstring);
        atomic_fetch_sub(&cstrings_alive, 1);
    }
}

static int setting_read(const struct scenario_request *request,
                        struct scenario_answer *answer)
{
    (void)answer;
    /* FIX: two variables hold the strings, so they can be freed after the call. */
    char *file = cstring_duplicate("settings/", request->bytes);
    char *key = cstring_duplicate(request->id, request->bytes);
    int error = setting_find(file, key);
    cstring_release(key);
    cstring_release(file);
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
    .bytes_min = 64,
    .bytes_max = 16 * 1024 * 1024,
    .bytes_meaning = "one C string, with its final zero",
    .leaves = {.blocks = 2},
    .suspect = "cstring_duplicate",
    .run = setting_read,
    .held = cstrings_count,
};
