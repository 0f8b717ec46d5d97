#include "probe/preload/settings.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/number.h"
#include "base/size.h"
#include "probe/figures/memory_trace.h"
#include "probe/preload/say.h"

#define KERNEL_NAME_BYTES 16 /* PR_GET_NAME, with its '\0' */

static char socket_path[SETTINGS_SOCKET_MAX];
static char exit_path[PATH_MAX];

/* Whether the list "a:b" has the name. `most`: only so many bytes of it are known. */
static bool list_has(const char *list, const char *name, size_t most)
{
    size_t length = strlen(name);
    while (*list != '\0') {
        size_t item = strcspn(list, ":");
        size_t compared = item < most ? item : most;
        if (item > 0 && compared == length && strncmp(list, name, length) == 0) {
            return true;
        }
        list += item + (list[item] == ':' ? 1 : 0);
    }
    return false;
}

static bool is_file_name_in(const char *list)
{
    char path[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 1);
    if (length <= 0) {
        return false;
    }
    path[length] = '\0';
    const char *slash = strrchr(path, '/');
    return list_has(list, slash == NULL ? path : slash + 1, SIZE_MAX);
}

bool probe_settings_wanted(void)
{
    const char *list = getenv("LEAKPROBE_ONLY");
    if (list == NULL || *list == '\0') {
        setenv("LEAKPROBE_ONLY", program_invocation_short_name, 1);
        return true;
    }
    char kernel_name[KERNEL_NAME_BYTES] = "";
    prctl(PR_GET_NAME, kernel_name);
    return list_has(list, program_invocation_short_name, SIZE_MAX) ||
           list_has(list, kernel_name, KERNEL_NAME_BYTES - 1) || is_file_name_in(list);
}

/* The variable's value; NULL if it is not set, or empty. */
static const char *value_of(const char *name)
{
    const char *value = getenv(name);
    return value == NULL || *value == '\0' ? NULL : value;
}

static void say_wrong(const char *name, const char *value, const char *wanted,
                      const char *taken)
{
    probe_say("%s takes %s, not '%.60s': %s", name, wanted, value, taken);
}

static int port_read(void)
{
    const char *value = value_of("LEAKPROBE_PORT");
    uint64_t port = SETTINGS_PORT;
    if (value != NULL && number_parse(value, 0, 65535, &port) != 0) {
        say_wrong("LEAKPROBE_PORT", value, "a number up to 65535", "6060 is taken");
        port = SETTINGS_PORT;
    }
    return (int)port;
}

static void heap_read(struct settings *settings)
{
    const char *value = value_of("LEAKPROBE_HEAP");
    uint64_t period = RECORDER_PERIOD;
    settings->heap = RECORDER_EXACT;
    if (value == NULL || strcmp(value, "exact") == 0) {
        /* the default */
    } else if (strcmp(value, "off") == 0) {
        settings->heap = RECORDER_OFF;
    } else if (strcmp(value, "sampled") == 0 ||
               (strncmp(value, "sampled=", 8) == 0 &&
                number_parse_size(value + 8, 1, GIB, &period) == 0)) {
        settings->heap = RECORDER_SAMPLED;
    } else {
        say_wrong("LEAKPROBE_HEAP", value, "exact, sampled[=SIZE] or off",
                  "exact is taken");
    }
    settings->period = (size_t)period;
}

/* A variable that is "on" or "off". */
static bool switch_read(const char *name)
{
    const char *value = value_of(name);
    if (value != NULL && strcmp(value, "on") != 0 && strcmp(value, "off") != 0) {
        say_wrong(name, value, "on or off", "on is taken");
    }
    return value == NULL || strcmp(value, "off") != 0;
}

static unsigned trace_read(void)
{
    const char *value = value_of("LEAKPROBE_TRACE_MEMORY");
    uint64_t seconds = 0;
    if (value != NULL &&
        number_parse(value, 1, MEMORY_TRACE_SECONDS_MAX, &seconds) != 0) {
        say_wrong("LEAKPROBE_TRACE_MEMORY", value, "seconds from 1 to 3600",
                  "no lines are written");
        seconds = 0;
    }
    return (unsigned)seconds;
}

/* Copies a path, because the program may change its environment. NULL if there is
 * none. */
static const char *path_read(const char *name, char *copy, size_t size)
{
    const char *value = value_of(name);
    if (value == NULL) {
        return NULL;
    }
    if (strlen(value) >= size) {
        probe_say("%s takes a path of at most %zu bytes: it is left out", name,
                  size - 1);
        return NULL;
    }
    snprintf(copy, size, "%s", value);
    return copy;
}

/* The same as a path from the root: the program may change its directory before a child
 * wants a socket beside this one. A path that is then too long stays as it is. */
static const char *socket_path_read(void)
{
    char directory[PATH_MAX];
    char whole[sizeof(socket_path)];
    const char *path = path_read("LEAKPROBE_UNIX", socket_path, sizeof(socket_path));
    if (path == NULL || path[0] == '/' ||
        getcwd(directory, sizeof(directory)) == NULL) {
        return path;
    }
    int length = snprintf(whole, sizeof(whole), "%s/%s", directory, path);
    if (length > 0 && (size_t)length < sizeof(whole)) {
        memcpy(socket_path, whole, (size_t)length + 1);
    }
    return socket_path;
}

void probe_settings_read(struct settings *ret_settings)
{
    const char *quiet = value_of("LEAKPROBE_QUIET");
    *ret_settings =
        (struct settings){.quiet = quiet != NULL && strcmp(quiet, "0") != 0};
    probe_say_start(ret_settings->quiet);
    ret_settings->port = port_read();
    ret_settings->socket_path = socket_path_read();
    heap_read(ret_settings);
    ret_settings->resources = switch_read("LEAKPROBE_RESOURCES");
    ret_settings->follow_fork = switch_read("LEAKPROBE_FOLLOW_FORK");
    ret_settings->at_exit =
        path_read("LEAKPROBE_AT_EXIT", exit_path, sizeof(exit_path));
    ret_settings->trace_seconds = trace_read();
}

bool probe_early_wanted(void)
{
    const char *heap = value_of("LEAKPROBE_HEAP");
    return getauxval(AT_SECURE) == 0 && (heap == NULL || strcmp(heap, "exact") == 0);
}
