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
#define GROWTH_DEFAULT 1024 /* bytes a call: noise, or a very slow leak */

const char options_help[] =
    "usage: leakcheck [--scenario NAME]... [--rounds R] [--calls N] [--json FILE]\n"
    "                 [--report FILE.html] [--source DIR] LEAKY_URL FIXED_URL\n"
    "       leakcheck --url URL --drive '/path?x=1' [--rounds R] [--calls N]\n"
    "                 [--max-growth BYTES] [--max-threads N] [--json FILE]\n"
    "\n"
    "The first form judges the lab's two servers: is every leak shown, and does every\n"
    "fix hold? The second judges one server of any make that serves a heap profile as\n"
    "gperftools or Go do: does this path leak, and where?\n"
    "\n"
    "  --scenario NAME     judge this scenario only (may be given again)\n"
    "  --rounds R          rounds of calls, 2 to 100 (4; one server: 5)\n"
    "  --calls N           calls a round, 1 to 10000 (2; one server: 10); fewer where "
    "a\n"
    "                      guard rail is near\n"
    "  --json FILE         write every sample and verdict as JSON\n"
    "  --report FILE.html  write a report that opens without a network\n"
    "  --source DIR        where the report finds leaky/ and fixed/ (.)\n"
    "  --url URL           the one server to judge\n"
    "  --drive PATH        what to call on it, with its query\n"
    "  --max-growth BYTES  heap growth allowed per call (1K; sizes take K, M, G)\n"
    "  --max-threads N     threads or goroutines allowed per call (0)\n"
    "  --help              this text\n"
    "  --version           the version\n"
    "\n"
    "Exit: 0 as it should be; 1 a leak not shown, a fix that leaks, or growth over "
    "the\n"
    "limit; 2 wrong usage, or no verdict possible.\n";

enum {
    OPTION_SCENARIO = 256,
    OPTION_ROUNDS,
    OPTION_CALLS,
    OPTION_JSON,
    OPTION_REPORT,
    OPTION_SOURCE,
    OPTION_URL,
    OPTION_DRIVE,
    OPTION_MAX_GROWTH,
    OPTION_MAX_THREADS,
    OPTION_HELP,
    OPTION_VERSION,
};

static const struct option table[] = {
    {"scenario", required_argument, NULL, OPTION_SCENARIO},
    {"rounds", required_argument, NULL, OPTION_ROUNDS},
    {"calls", required_argument, NULL, OPTION_CALLS},
    {"json", required_argument, NULL, OPTION_JSON},
    {"report", required_argument, NULL, OPTION_REPORT},
    {"source", required_argument, NULL, OPTION_SOURCE},
    {"url", required_argument, NULL, OPTION_URL},
    {"drive", required_argument, NULL, OPTION_DRIVE},
    {"max-growth", required_argument, NULL, OPTION_MAX_GROWTH},
    {"max-threads", required_argument, NULL, OPTION_MAX_THREADS},
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

/* Where an option's text goes; NULL if the option takes none. */
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
    default:
        return NULL;
    }
}

static int option_take(struct options *options, int option, const char *value,
                       struct failure *failure)
{
    int64_t number = 0;
    int result = 0;
    const char **text = text_place(options, option);
    if (text != NULL) {
        *text = value;
        return 0;
    }
    switch (option) {
    case OPTION_SCENARIO:
        if (options->scenario_count == OPTION_SCENARIOS_MAX) {
            return failure_set(failure, EINVAL, "too many --scenario");
        }
        options->scenarios[options->scenario_count++] = value;
        return 0;
    case OPTION_ROUNDS:
        result = number_parse(value, false, 2, ROUNDS_MAX, &number);
        options->rounds = (unsigned)number;
        break;
    case OPTION_CALLS:
        result = number_parse(value, false, 1, CALLS_MAX, &number);
        options->calls = (unsigned)number;
        break;
    case OPTION_MAX_GROWTH:
        result = number_parse(value, true, 0, INT64_MAX / 4, &options->max_growth);
        break;
    case OPTION_MAX_THREADS:
        result = number_parse(value, false, 0, 1000000, &number);
        options->max_threads = (double)number;
        break;
    case OPTION_HELP:
        options->help = true;
        return 0;
    case OPTION_VERSION:
        options->version = true;
        return 0;
    default:
        return failure_set(failure, EINVAL, "unknown option, or one without its value");
    }
    if (result < 0) {
        return failure_set(failure, EINVAL, "'%.60s' is not a number in range", value);
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
        return 0;
    }
    if (options->url == NULL || options->drive == NULL || count != 0) {
        return failure_set(failure, EINVAL, "one server needs --url and --drive alone");
    }
    if (options->drive[0] != '/' || strpbrk(options->drive, " \t\r\n#") != NULL) {
        return failure_set(failure, EINVAL,
                           "--drive takes a path that starts with '/'");
    }
    if (options->scenario_count > 0 || options->report != NULL) {
        return failure_set(failure, EINVAL,
                           "--scenario and --report are for the lab's two servers");
    }
    return 0;
}

int options_parse(struct options *ret_options, int count, char **arguments,
                  struct failure *failure)
{
    struct options options = {.max_growth = GROWTH_DEFAULT, .source = "."};
    int option;
    opterr = 0;
    while ((option = getopt_long(count, arguments, "", table, NULL)) != -1) {
        int result = option_take(&options, option, optarg, failure);
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
