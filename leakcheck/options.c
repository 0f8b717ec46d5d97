/*
 * Reads the command line.
 */
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "trial.h"

#define CALLS_MAX 10000
#define COUNT_LIMIT_MAX 1000000
#define TIMEOUT_DEFAULT 300 /* seconds */
#define TIMEOUT_MAX 86400
#define PID_MAX 4194304 /* the kernel's: proc_sys_kernel(5) */

/* Bytes a call: noise, or a very slow leak. Resident memory moves by whole pages, so
 * half a page a call is the least that can be told from it. */
#define HEAP_DEFAULT 1024
#define RSS_DEFAULT 2048

const char options_help[] =
    "usage: leakcheck [--scenario NAME]... [--rounds R] [--calls N] [--json FILE]\n"
    "                 [--report FILE.html] [--source DIR] LEAKY_URL FIXED_URL\n"
    "       leakcheck --url URL --drive '/path?x=1' [--rounds R] [--calls N]\n"
    "                 [--max-growth BYTES] [--max-threads N] [--max-fds N]\n"
    "                 [--max-timers N] [--max-rss BYTES] [--pid PID] [--binary FILE]\n"
    "                 [--own PATH]... [--json FILE]\n"
    "\n"
    "The first form judges the lab's two servers: is every leak shown, and does every\n"
    "fix hold? The second judges one server of any make that serves a heap profile as\n"
    "gperftools or Go do: does this path leak, and where is it allocated?\n"
    "\n"
    "  --scenario NAME     judge this scenario only (may be given again)\n"
    "  --rounds R          rounds of calls, 2 to 100 (4; one server: 5)\n"
    "  --calls N           calls a round, 1 to 10000 (2; one server: 10); fewer where\n"
    "                      a guard rail is near\n"
    "  --timeout SECONDS   end without a verdict after that time (300)\n"
    "  --json FILE         write every sample and verdict as JSON\n"
    "  --report FILE.html  write a report that opens without a network\n"
    "  --source DIR        where the report finds leaky/ and fixed/ (.)\n"
    "\n"
    "One server; a limit is what one call may leave behind:\n"
    "  --url URL           the server to judge\n"
    "  --drive PATH        what to call on it, with its query\n"
    "  --max-growth BYTES  heap (1K; sizes take K, M, G)\n"
    "  --max-threads N     threads, or goroutines (0)\n"
    "  --max-fds N         descriptors (0)\n"
    "  --max-timers N      POSIX timers (0)\n"
    "  --max-rss BYTES     resident memory (2K)\n"
    "  --pid PID           its process: count in /proc what it doesn't say itself\n"
    "  --binary FILE       its program, for the names of functions\n"
    "  --own PATH          a file, directory or library that is the program's own "
    "code\n"
    "                      (may be given again; else: the program, not its libraries)\n"
    "\n"
    "  --help              this text\n"
    "  --version           the version\n"
    "\n"
    "What can't be measured is named. Exit: 0 as it should be; 1 a leak not shown, a\n"
    "fix that leaks, or growth over a limit; 2 wrong usage, no verdict possible, or a\n"
    "limit asked for on what could not be measured.\n";

enum {
    OPTION_SCENARIO = 256,
    OPTION_ROUNDS,
    OPTION_CALLS,
    OPTION_TIMEOUT,
    OPTION_JSON,
    OPTION_REPORT,
    OPTION_SOURCE,
    OPTION_URL,
    OPTION_DRIVE,
    OPTION_MAX_GROWTH,
    OPTION_MAX_THREADS,
    OPTION_MAX_FDS,
    OPTION_MAX_TIMERS,
    OPTION_MAX_RSS,
    OPTION_PID,
    OPTION_BINARY,
    OPTION_OWN,
    OPTION_HELP,
    OPTION_VERSION,
};

static const struct option table[] = {
    {"scenario", required_argument, NULL, OPTION_SCENARIO},
    {"rounds", required_argument, NULL, OPTION_ROUNDS},
    {"calls", required_argument, NULL, OPTION_CALLS},
    {"timeout", required_argument, NULL, OPTION_TIMEOUT},
    {"json", required_argument, NULL, OPTION_JSON},
    {"report", required_argument, NULL, OPTION_REPORT},
    {"source", required_argument, NULL, OPTION_SOURCE},
    {"url", required_argument, NULL, OPTION_URL},
    {"drive", required_argument, NULL, OPTION_DRIVE},
    {"max-growth", required_argument, NULL, OPTION_MAX_GROWTH},
    {"max-threads", required_argument, NULL, OPTION_MAX_THREADS},
    {"max-fds", required_argument, NULL, OPTION_MAX_FDS},
    {"max-timers", required_argument, NULL, OPTION_MAX_TIMERS},
    {"max-rss", required_argument, NULL, OPTION_MAX_RSS},
    {"pid", required_argument, NULL, OPTION_PID},
    {"binary", required_argument, NULL, OPTION_BINARY},
    {"own", required_argument, NULL, OPTION_OWN},
    {"help", no_argument, NULL, OPTION_HELP},
    {"version", no_argument, NULL, OPTION_VERSION},
    {NULL, 0, NULL, 0}};

/* A whole number, with K, M or G behind it if `sizes`. */
static int number_parse(const char *text, bool sizes, int64_t least, int64_t most,
                        int64_t *ret_number)
{
    char *end;
    if (text[0] < '0' || text[0] > '9') {
        return -EINVAL;
    }
    errno = 0;
    long long number = strtoll(text, &end, 10);
    int shift = 0;
    if (sizes && *end != '\0') {
        shift = *end == 'K' ? 10 : *end == 'M' ? 20 : *end == 'G' ? 30 : 0;
        end += shift > 0;
    }
    if (errno != 0 || *end != '\0' || number > most >> shift ||
        number << shift < least) {
        return -EINVAL;
    }
    *ret_number = number << shift;
    return 0;
}

/* Where an option's text goes; NULL if it is no single text. */
static const char **text_place(struct options *options, int option)
{
    switch (option) {
    case OPTION_JSON:
        return &options->json;
    case OPTION_REPORT:
        return &options->report;
    case OPTION_SOURCE:
        return &options->source;
    case OPTION_URL:
        return &options->url;
    case OPTION_DRIVE:
        return &options->drive;
    case OPTION_BINARY:
        return &options->binary;
    default:
        return NULL;
    }
}

/* Adds a text to a list that may be given again; an empty one would match anything. */
static int list_take(const char **list, size_t *count, const char *value,
                     struct failure *failure)
{
    if (*count == OPTION_LIST_MAX || value[0] == '\0') {
        return failure_set(failure, EINVAL,
                           value[0] == '\0' ? "an option has an empty value"
                                            : "an option is given too often");
    }
    list[(*count)++] = value;
    return 0;
}

/* The limit that an option sets; RESOURCE_COUNT if it sets none. */
static enum resource limited_resource(int option)
{
    switch (option) {
    case OPTION_MAX_GROWTH:
        return RESOURCE_HEAP;
    case OPTION_MAX_THREADS:
        return RESOURCE_THREADS;
    case OPTION_MAX_FDS:
        return RESOURCE_FDS;
    case OPTION_MAX_TIMERS:
        return RESOURCE_TIMERS;
    case OPTION_MAX_RSS:
        return RESOURCE_RSS;
    default:
        return RESOURCE_COUNT;
    }
}

/* Reads an option that takes a number. */
static int number_take(struct options *options, int option, const char *value,
                       struct failure *failure)
{
    int64_t number = 0;
    enum resource resource = limited_resource(option);
    bool bytes = resource == RESOURCE_HEAP || resource == RESOURCE_RSS;
    int result;
    if (resource != RESOURCE_COUNT) {
        result = number_parse(value, bytes, 0, bytes ? INT64_MAX / 4 : COUNT_LIMIT_MAX,
                              &number);
        options->limits[resource] = (struct limit){(double)number, true};
    } else if (option == OPTION_ROUNDS) {
        result = number_parse(value, false, 2, ROUNDS_MAX, &number);
        options->rounds = (unsigned)number;
    } else if (option == OPTION_CALLS) {
        result = number_parse(value, false, 1, CALLS_MAX, &number);
        options->calls = (unsigned)number;
    } else if (option == OPTION_TIMEOUT) {
        result = number_parse(value, false, 1, TIMEOUT_MAX, &number);
        options->timeout_secs = (unsigned)number;
    } else {
        result = number_parse(value, false, 1, PID_MAX, &number);
        options->pid = (int)number;
    }
    if (result < 0) {
        return failure_set(failure, EINVAL, "'%.60s' is not a number in range", value);
    }
    return 0;
}

static int option_take(struct options *options, int option, const char *value,
                       struct failure *failure)
{
    const char **text = text_place(options, option);
    if (text != NULL) {
        *text = value;
        return 0;
    }
    switch (option) {
    case OPTION_SCENARIO:
        return list_take(options->scenarios, &options->scenario_count, value, failure);
    case OPTION_OWN:
        return list_take(options->own, &options->own_count, value, failure);
    case OPTION_HELP:
        options->help = true;
        return 0;
    case OPTION_VERSION:
        options->version = true;
        return 0;
    default:
        return number_take(options, option, value, failure);
    }
}

/* What belongs to the other form. */
static int pairs_check(const struct options *options, struct failure *failure)
{
    for (int i = 0; i < RESOURCE_COUNT; i++) {
        if (options->limits[i].asked) {
            return failure_set(failure, EINVAL,
                               "a limit is for one server: it goes with --url");
        }
    }
    if (options->pid != 0 || options->binary != NULL || options->own_count > 0) {
        return failure_set(failure, EINVAL,
                           "--pid, --binary and --own are for one server: they go with "
                           "--url");
    }
    return 0;
}

/* Which of the two forms it is, and whether it is whole. */
static int options_check(struct options *options, int count, char **arguments,
                         struct failure *failure)
{
    if (options->url == NULL && options->drive == NULL) {
        if (count != 2) {
            return failure_set(failure, EINVAL, "needs LEAKY_URL and FIXED_URL");
        }
        options->urls[0] = arguments[0];
        options->urls[1] = arguments[1];
        return pairs_check(options, failure);
    }
    if (options->url == NULL || options->drive == NULL || count != 0) {
        return failure_set(failure, EINVAL, "one server needs --url and --drive alone");
    }
    if (options->drive[0] != '/' || strpbrk(options->drive, " \t\r\n#") != NULL) {
        return failure_set(failure, EINVAL,
                           "--drive takes a path that starts with '/'");
    }
    if (options->scenario_count > 0 || options->report != NULL ||
        options->source != NULL) {
        return failure_set(failure, EINVAL,
                           "--scenario, --report and --source are for the lab's two "
                           "servers");
    }
    return 0;
}

int options_parse(struct options *ret_options, int count, char **arguments,
                  struct failure *failure)
{
    struct options options = {.timeout_secs = TIMEOUT_DEFAULT,
                              .limits = {[RESOURCE_HEAP] = {.most = HEAP_DEFAULT},
                                         [RESOURCE_RSS] = {.most = RSS_DEFAULT}}};
    int option;
    opterr = 0;
    while ((option = getopt_long(count, arguments, ":", table, NULL)) != -1) {
        const char *word = arguments[optind - 1];
        if (option == ':') {
            return failure_set(failure, EINVAL, "%.60s needs a value", word);
        }
        int result = option == '?'
                         ? failure_set(failure, EINVAL, "unknown option %.60s", word)
                         : option_take(&options, option, optarg, failure);
        if (result < 0) {
            return result;
        }
    }
    if (!options.help && !options.version) {
        int result =
            options_check(&options, count - optind, arguments + optind, failure);
        if (result < 0) {
            return result;
        }
    }
    *ret_options = options;
    return 0;
}
