/*
 * Reads the command line.
 */
#include "leakcheck/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "leakcheck/judge/trial.h"

#define CALLS_MAX 10000
#define COUNT_LIMIT_MAX 1000000
#define BYTES_LIMIT_MAX (INT64_MAX / 4)
#define TIMEOUT_DEFAULT 300 /* seconds */
#define TIMEOUT_MAX 86400
#define PID_MAX 4194304 /* the kernel's: proc_sys_kernel(5) */

/* Bytes a call: below that it is noise, or a very slow leak. Resident memory moves by
 * whole pages, so its limit is half a page. */
#define HEAP_DEFAULT 1024
#define RSS_DEFAULT 2048

const char options_help[] =
    "usage: leakcheck [--scenario NAME]... [--rounds R] [--calls N]\n"
    "                 [--timeout SECONDS] [--json FILE] [--report FILE.html]\n"
    "                 [--text FILE] [--source DIR] LEAKY_URL FIXED_URL\n"
    "       leakcheck --url URL --drive '/path?x=1' [--rounds R] [--calls N]\n"
    "                 [--max-growth BYTES] [--max-threads N] [--max-fds N]\n"
    "                 [--max-timers N] [--max-rss BYTES] [--pid PID] [--binary FILE]\n"
    "                 [--own PATH]... [--timeout SECONDS] [--json FILE]\n"
    "       leakcheck --list URL\n"
    "\n"
    "The first form judges the lab's two servers: is every leak shown, and does every\n"
    "fix hold? The second judges one server of any make that serves a heap profile as\n"
    "gperftools or Go do: does this path leak, and where is it allocated? The third\n"
    "only names the scenarios of one of the lab's servers, one a line.\n"
    "\n"
    "  --scenario NAME     judge this scenario only (may be given again)\n"
    "  --rounds R          rounds of calls, 2 to 100 (4; one server: 5)\n"
    "  --calls N           calls a round, 1 to 10000 (2; one server: 10); fewer where\n"
    "                      the lab's guard rails are near\n"
    "  --timeout SECONDS   end without a verdict after that time (300)\n"
    "  --json FILE         write every sample and verdict as JSON\n"
    "  --report FILE.html  write a report that opens without a network\n"
    "  --text FILE         write the table plainly, one line a scenario\n"
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
    "  --own PATH          a file, directory or library that is the program's own\n"
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
    OPTION_TEXT,
    OPTION_LIST,
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
    {"text", required_argument, NULL, OPTION_TEXT},
    {"list", no_argument, NULL, OPTION_LIST},
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
    case OPTION_TEXT:
        return &options->text;
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

/* As the user writes it, without the dashes. */
static const char *option_name(int option)
{
    size_t i = 0;
    while (table[i].name != NULL && table[i].val != option) {
        i++;
    }
    return table[i].name;
}

/* Adds a text to a list that may be given again. */
static int list_take(const char **list, size_t *count, int option, const char *value,
                     struct failure *failure)
{
    if (*count == OPTION_LIST_MAX) {
        return failure_set(failure, EINVAL, "--%s is given more than %d times",
                           option_name(option), OPTION_LIST_MAX);
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

/* The numbers that an option takes. */
static void number_bounds(int option, int64_t *ret_least, int64_t *ret_most)
{
    enum resource resource = limited_resource(option);
    *ret_least = 1;
    if (resource != RESOURCE_COUNT) {
        bool bytes = resource == RESOURCE_HEAP || resource == RESOURCE_RSS;
        *ret_least = 0;
        *ret_most = bytes ? BYTES_LIMIT_MAX : COUNT_LIMIT_MAX;
    } else if (option == OPTION_ROUNDS) {
        *ret_least = 2;
        *ret_most = ROUNDS_MAX;
    } else if (option == OPTION_CALLS) {
        *ret_most = CALLS_MAX;
    } else {
        *ret_most = option == OPTION_TIMEOUT ? TIMEOUT_MAX : PID_MAX;
    }
}

static int number_complain(int option, const char *value, struct failure *failure)
{
    int64_t least;
    int64_t most;
    number_bounds(option, &least, &most);
    if (most == BYTES_LIMIT_MAX) {
        return failure_set(failure, EINVAL,
                           "--%s takes whole bytes, or K, M or G of them, not '%.60s'",
                           option_name(option), value);
    }
    return failure_set(failure, EINVAL,
                       "--%s takes a number from %lld to %lld, not "
                       "'%.60s'",
                       option_name(option), (long long)least, (long long)most, value);
}

/* Reads an option that takes a number. */
static int number_take(struct options *options, int option, const char *value,
                       struct failure *failure)
{
    enum resource resource = limited_resource(option);
    int64_t number;
    int64_t least;
    int64_t most;
    number_bounds(option, &least, &most);
    if (number_parse(value, most == BYTES_LIMIT_MAX, least, most, &number) < 0) {
        return number_complain(option, value, failure);
    }
    if (resource != RESOURCE_COUNT) {
        options->limits[resource] = (struct limit){(double)number, true};
    } else if (option == OPTION_ROUNDS) {
        options->rounds = (unsigned)number;
    } else if (option == OPTION_CALLS) {
        options->calls = (unsigned)number;
    } else if (option == OPTION_TIMEOUT) {
        options->timeout_secs = (unsigned)number;
    } else {
        options->pid = (int)number;
    }
    return 0;
}

static int option_take(struct options *options, int option, const char *value,
                       struct failure *failure)
{
    const char **text = text_place(options, option);
    if (value != NULL && value[0] == '\0') {
        return failure_set(failure, EINVAL, "the value of --%s is empty",
                           option_name(option));
    }
    if (text != NULL) {
        *text = value;
        return 0;
    }
    switch (option) {
    case OPTION_SCENARIO:
        return list_take(options->scenarios, &options->scenario_count, option, value,
                         failure);
    case OPTION_OWN:
        return list_take(options->own, &options->own_count, option, value, failure);
    case OPTION_LIST:
        options->list = true;
        return 0;
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

/* No two reports go to one file. */
static int files_check(const struct options *options, struct failure *failure)
{
    static const char *const names[] = {"--json", "--report", "--text"};
    const char *const paths[] = {options->json, options->report, options->text};
    for (int i = 0; i < 3; i++) {
        for (int j = i + 1; j < 3; j++) {
            if (paths[i] != NULL && paths[j] != NULL &&
                strcmp(paths[i], paths[j]) == 0) {
                return failure_set(failure, EINVAL, "%s and %s name the same file",
                                   names[i], names[j]);
            }
        }
    }
    return 0;
}

/* For the lab's two servers: refuses what is missing or belongs to the other form. */
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
    return files_check(options, failure);
}

/* To name the scenarios: one URL, and nothing that belongs to a verdict. */
static int list_check(struct options *options, int count, char **arguments,
                      struct failure *failure)
{
    if (count != 1 || options->url != NULL || options->drive != NULL ||
        options->scenario_count > 0 || options->json != NULL ||
        options->report != NULL || options->text != NULL) {
        return failure_set(failure, EINVAL,
                           "--list takes the URL of one of the lab's servers, and "
                           "nothing else");
    }
    options->urls[0] = arguments[0];
    return 0;
}

/* For one server: refuses what is missing or belongs to the other form. */
static int one_check(const struct options *options, const char *extra,
                     struct failure *failure)
{
    if (options->url == NULL || options->drive == NULL) {
        return failure_set(failure, EINVAL, "%s",
                           options->url == NULL
                               ? "--drive needs --url, the server to judge"
                               : "--url needs --drive, the path to call");
    }
    if (extra != NULL) {
        return failure_set(
            failure, EINVAL, "--url judges one server; what is '%.60s' for?",
            strrchr(extra, '@') == NULL ? extra : strrchr(extra, '@') + 1);
    }
    if (options->drive[0] != '/') {
        return failure_set(failure, EINVAL, "--drive takes a path: it starts with '/'");
    }
    if (strpbrk(options->drive, " \t\r\n#") != NULL) {
        return failure_set(failure, EINVAL,
                           "--drive takes a path as it is sent: %%20 for a blank, %%23 "
                           "for '#'");
    }
    if (options->scenario_count > 0 || options->report != NULL ||
        options->text != NULL || options->source != NULL) {
        return failure_set(
            failure, EINVAL,
            "--scenario, --text, --report and --source are for the lab's "
            "two servers");
    }
    return 0;
}

/* Finds out which of the two forms it is, and checks that form. */
static int options_check(struct options *options, int count, char **arguments,
                         struct failure *failure)
{
    if (options->list) {
        return list_check(options, count, arguments, failure);
    }
    if (options->url != NULL || options->drive != NULL) {
        return one_check(options, count > 0 ? arguments[0] : NULL, failure);
    }
    if (count != 2) {
        return failure_set(failure, EINVAL, "needs LEAKY_URL and FIXED_URL");
    }
    options->urls[0] = arguments[0];
    options->urls[1] = arguments[1];
    return pairs_check(options, failure);
}

/* Explains what getopt_long refused: an unknown option, or one without its value. */
static int word_complain(int found, const char *word, struct failure *failure)
{
    if (optopt > 0 && optopt < OPTION_SCENARIO) {
        return failure_set(failure, EINVAL, "unknown option -%c", optopt);
    }
    return failure_set(failure, EINVAL,
                       found == ':' ? "%.60s needs a value" : "unknown option %.60s",
                       word);
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
        int error = option == ':' || option == '?'
                        ? word_complain(option, word, failure)
                        : option_take(&options, option, optarg, failure);
        if (error < 0) {
            return error;
        }
    }
    if (!options.help && !options.version) {
        int error =
            options_check(&options, count - optind, arguments + optind, failure);
        if (error < 0) {
            return error;
        }
    }
    *ret_options = options;
    return 0;
}
