/*
 * The table of the servers' options, and the checks that the table cannot express.
 */
#include "options.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "base/command_line.h"
#include "base/size.h"
#include "probe/figures/memory_trace.h"
#include "variant.h"

/* The values that the table's rows set. */
static struct options taken;
static const char *profile;
static const char *peer;

static int bind_check(const char *value, struct failure *failure)
{
    struct in_addr address;
    if (inet_pton(AF_INET, value, &address) != 1) {
        return failure_set(failure, EINVAL, "--bind takes an IPv4 address, not '%.60s'",
                           value);
    }
    return 0;
}

static int directory_check(const char *value, struct failure *failure)
{
    if (strlen(value) > 900) {
        return failure_set(failure, EINVAL,
                           "--profile-dir takes a path of at most 900 characters");
    }
    return 0;
}

static int upstream_check(const char *value, struct failure *failure)
{
    bool plain =
        strncmp(value, "http://", 7) == 0 || strncmp(value, "https://", 8) == 0;
    for (const char *at = value; *at != '\0'; at++) {
        plain = plain && *at > ' ' && *at <= '~' && *at != '?' && *at != '#';
    }
    if (!plain || strlen(value) >= 200) {
        return failure_set(
            failure, EINVAL,
            "--upstream takes an http:// or https:// URL without a query");
    }
    return 0;
}

/* The peer's URL is an origin, perhaps with a '/' at the end. */
static int peer_check(const char *value, struct failure *failure)
{
    size_t length = strlen(value);
    if (value[length - 1] == '/') {
        length--;
    }
    if (probe_origin_parse(value, length, &taken.peer) != 0) {
        return failure_set(failure, EINVAL,
                           "--peer takes http://HOST:PORT without a path, not '%.60s'",
                           value);
    }
    return 0;
}

static const struct command_option table[] = {
    {.name = "port",
     .word = "N",
     .help = "port of the lab (%; 0: any free port)",
     .number = &taken.port,
     .most = 65535},
    {.name = "debug-port",
     .word = "N",
     .help = "port of status and profiles, with threads of its own (%; 0: any free "
             "port; off: none)",
     .number = &taken.debug_port,
     .most = 65535,
     .off = true},
    {.name = "bind",
     .word = "ADDR",
     .help = "IPv4 address to listen on (%; any other needs --expose too)",
     .text = &taken.bind,
     .check = bind_check},
    {.name = "expose",
     .help = "yes, other machines may reach this leaking server",
     .given = &taken.expose},
    {.name = "profile",
     .word = "MODE",
     .help = "what records the heap. exact: gperftools; recorder: the probe's own "
             "recorder, faster; off: nothing (%)",
     .text = &profile,
     .choices = "exact|recorder|off"},
    {.name = "profile-dir",
     .word = "DIR",
     .help = "where heap dumps go (%)",
     .text = &taken.directory,
     .check = directory_check},
    {.name = "max-heap",
     .word = "SIZE",
     .help = "refuse what would need more heap and stack (%)",
     .number = &taken.max_heap,
     .least = 32 * MIB,
     .most = 64 * GIB,
     .size = true},
    {.name = "max-threads",
     .word = "N",
     .help = "... more threads (%)",
     .number = &taken.max_threads,
     .least = 64,
     .most = 30000},
    {.name = "max-fds",
     .word = "N",
     .help = "... more descriptors (%)",
     .number = &taken.max_fds,
     .least = 64,
     .most = 100000},
    {.name = "max-timers",
     .word = "N",
     .help = "... more timers (%)",
     .number = &taken.max_timers,
     .least = 1,
     .most = 50000},
    {.name = "upstream",
     .word = "URL",
     .help = "where http-body fetches (a child process of this server, on loopback)",
     .text = &taken.upstream,
     .check = upstream_check},
    {.name = "peer",
     .word = "URL",
     .help = "the lab's other server, http://HOST:PORT: its page may drive this one, "
             "too (leaky and fixed on their own ports: each other)",
     .text = &peer,
     .check = peer_check},
    {.name = "trace-memory",
     .word = "SECONDS",
     .help = "a line about memory on stderr every SECONDS (1 without a number)",
     .number = &taken.trace_seconds,
     .least = 1,
     .most = MEMORY_TRACE_SECONDS_MAX,
     .implied = 1},
};

static void defaults_set(void)
{
    taken = (struct options){
        .port = variant.port,
        .debug_port = variant.debug_port,
        .bind = "127.0.0.1",
        .directory = "profiles",
        .max_heap = 512 * MIB,
        .max_threads = 2000,
        .max_fds = 1000,
        .max_timers = 2000,
    };
    profile = "exact";
    peer = NULL;
}

/* Checks the options against each other, and that there are no other arguments. */
static enum command_result rest_check(const char *extra, struct failure *failure)
{
    if (extra != NULL) {
        failure_set(failure, EINVAL, "unexpected argument '%.60s'", extra);
        return COMMAND_WRONG;
    }
    if (strcmp(taken.bind, "127.0.0.1") != 0 && !taken.expose) {
        failure_set(failure, EINVAL,
                    "--bind %s lets other machines reach a server made to leak: add "
                    "--expose if that is meant",
                    taken.bind);
        return COMMAND_WRONG;
    }
    return COMMAND_RUN;
}

static enum heap_profile profile_read(const char *mode)
{
    if (strcmp(mode, "exact") == 0) {
        return HEAP_PROFILE_EXACT;
    }
    return strcmp(mode, "recorder") == 0 ? HEAP_PROFILE_RECORDER : HEAP_PROFILE_OFF;
}

bool options_parse(struct options *ret_options, int count, char **arguments,
                   int *ret_status)
{
    const struct command_line line = {
        .program = variant.name,
        .usage = "[OPTION]...",
        .about = "An HTTP server of the leak lab: every kind of leak at its own URL.",
        .options = table,
        .count = sizeof(table) / sizeof(table[0]),
        .notes =
            "Sizes take K, M, G. Exit status: 0 after SIGTERM or SIGINT, 1 when it "
            "cannot run, 2 for wrong usage."};
    struct failure failure;
    int rest;
    defaults_set();
    enum command_result result =
        command_line_read(&line, count, arguments, &rest, &failure);
    if (result == COMMAND_RUN) {
        result = rest_check(arguments[rest], &failure);
    }
    if (result != COMMAND_RUN) {
        defaults_set(); /* again, because --help shows the defaults */
        *ret_status = command_line_answer(&line, result, &failure);
        return false;
    }
    taken.profile = profile_read(profile);
    if (peer == NULL && taken.port == variant.port && variant.peer_port != 0) {
        taken.peer = (struct origin){"localhost", (unsigned)variant.peer_port};
    }
    *ret_options = taken;
    return true;
}
