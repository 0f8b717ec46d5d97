/*
 * The command line: options with their bounds, and the usage text.
 */
#include "options.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "variant.h"

#define MIB (1024 * 1024)

void options_usage(FILE *stream)
{
    fprintf(
        stream,
        "Usage: %s [OPTION]...\n"
        "An HTTP server of the leak lab: every kind of leak at its own URL.\n"
        "\n"
        "  --port N           port of the lab (%d; 0: any free port)\n"
        "  --debug-port N     port of status and profiles, with threads of its own\n"
        "                     (%d; 0: any free port; off: none)\n"
        "  --bind ADDR        IPv4 address to listen on (127.0.0.1; any other needs\n"
        "                     --expose too)\n"
        "  --expose           yes, other machines may reach this leaking server\n"
        "  --profile MODE     exact: every allocation (default); off: none\n"
        "  --profile-dir DIR  where heap dumps go (profiles)\n"
        "  --max-heap SIZE    refuse what would need more heap and stack (512M)\n"
        "  --max-threads N    ... more threads (2000)\n"
        "  --max-fds N        ... more descriptors (1000)\n"
        "  --max-timers N     ... more timers (2000)\n"
        "  --upstream URL     where http-body fetches (a child process of this\n"
        "                     server, on loopback)\n"
        "  --peer URL         the lab's other server, http://HOST:PORT: its pages may\n"
        "                     drive this one, too\n"
        "  --help, --version\n"
        "\n"
        "Sizes take K, M, G. Exit status: 0 after SIGTERM or SIGINT, 1 when it cannot\n"
        "run, 2 for wrong usage.\n",
        variant.name, variant.port, variant.debug_port);
}

int options_number(const char *text, uint64_t *ret_number)
{
    uint64_t number = 0;
    if (*text == '\0') {
        return -EINVAL;
    }
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9') {
            return -EINVAL;
        }
        uint64_t digit = (uint64_t)(*text - '0');
        if (number > (UINT64_MAX - digit) / 10) {
            return -ERANGE;
        }
        number = number * 10 + digit;
    }
    *ret_number = number;
    return 0;
}

int options_size(const char *text, uint64_t *ret_bytes)
{
    static const struct {
        char letter;
        unsigned shift;
    } units[] = {{'K', 10}, {'M', 20}, {'G', 30}};

    char digits[24];
    size_t length = strlen(text);
    if (length == 0 || length >= sizeof(digits)) {
        return -EINVAL;
    }
    unsigned shift = 0;
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if ((text[length - 1] & ~0x20) == units[i].letter) {
            shift = units[i].shift;
            length--;
            break;
        }
    }
    memcpy(digits, text, length);
    digits[length] = '\0';
    uint64_t number;
    int error = options_number(digits, &number);
    if (error != 0) {
        return error;
    }
    if (number > UINT64_MAX >> shift) {
        return -ERANGE;
    }
    *ret_bytes = number << shift;
    return 0;
}

/* One option with a number: its text, its bounds, and where it goes. */
static bool number_option(const char *name, const char *text, uint64_t minimum,
                          uint64_t maximum, uint64_t *ret_number, char *message,
                          size_t size)
{
    uint64_t number;
    if (options_number(text, &number) != 0 || number < minimum || number > maximum) {
        snprintf(message, size, "--%s takes a number from %lu to %lu, not '%s'", name,
                 (unsigned long)minimum, (unsigned long)maximum, text);
        return false;
    }
    *ret_number = number;
    return true;
}

static bool url_is_plain(const char *url)
{
    if (strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0) {
        return false;
    }
    for (const char *p = url; *p != '\0'; p++) {
        if (*p <= ' ' || *p > '~' || *p == '?' || *p == '#') {
            return false;
        }
    }
    return strlen(url) < 200;
}

enum option_letter {
    OPTION_PORT = 256,
    OPTION_DEBUG_PORT,
    OPTION_BIND,
    OPTION_EXPOSE,
    OPTION_PROFILE,
    OPTION_PROFILE_DIR,
    OPTION_MAX_HEAP,
    OPTION_MAX_THREADS,
    OPTION_MAX_FDS,
    OPTION_MAX_TIMERS,
    OPTION_UPSTREAM,
    OPTION_PEER,
    OPTION_HELP,
    OPTION_VERSION,
};

/* Takes one option that has a number for its value. */
static bool take_number(struct options *options, int letter, char *message, size_t size)
{
    uint64_t number = 0;
    bool taken = false;
    switch (letter) {
    case OPTION_PORT:
        taken = number_option("port", optarg, 0, 65535, &number, message, size);
        options->port = (int)number;
        break;
    case OPTION_DEBUG_PORT:
        taken = number_option("debug-port", optarg, 0, 65535, &number, message, size);
        options->debug_port = (int)number;
        break;
    case OPTION_MAX_THREADS:
        taken = number_option("max-threads", optarg, 64, 30000, &number, message, size);
        options->max_threads = (unsigned)number;
        break;
    case OPTION_MAX_FDS:
        taken = number_option("max-fds", optarg, 64, 100000, &number, message, size);
        options->max_fds = (unsigned)number;
        break;
    case OPTION_MAX_TIMERS:
        taken = number_option("max-timers", optarg, 1, 50000, &number, message, size);
        options->max_timers = (unsigned)number;
        break;
    }
    return taken;
}

/* Reads the peer's URL, which is an origin with or without a '/' at its end. */
static bool take_peer(struct options *options, char *message, size_t size)
{
    size_t length = strlen(optarg);
    if (length > 0 && optarg[length - 1] == '/') {
        length--;
    }
    if (probe_origin_parse(optarg, length, &options->peer) != 0) {
        snprintf(message, size,
                 "--peer takes http://HOST:PORT without a path, not '%s'", optarg);
        return false;
    }
    return true;
}

/* Takes one option that has a word for its value. */
static bool take_word(struct options *options, int letter, char *message, size_t size)
{
    struct in_addr address;
    uint64_t bytes;
    switch (letter) {
    case OPTION_BIND:
        options->bind = optarg;
        if (inet_pton(AF_INET, optarg, &address) != 1) {
            snprintf(message, size, "--bind takes an IPv4 address, not '%s'", optarg);
            return false;
        }
        return true;
    case OPTION_PROFILE:
        options->profile = strcmp(optarg, "exact") == 0;
        if (!options->profile && strcmp(optarg, "off") != 0) {
            snprintf(message, size, "--profile is exact or off, not '%s'", optarg);
            return false;
        }
        return true;
    case OPTION_PROFILE_DIR:
        options->directory = optarg;
        if (*optarg == '\0' || strlen(optarg) > 900) {
            snprintf(message, size, "--profile-dir takes the path of a directory");
            return false;
        }
        return true;
    case OPTION_MAX_HEAP:
        if (options_size(optarg, &bytes) != 0 || bytes < 32 * MIB ||
            bytes > 65536UL * MIB) {
            snprintf(message, size, "--max-heap takes a size from 32M to 64G, not '%s'",
                     optarg);
            return false;
        }
        options->max_heap = bytes;
        return true;
    case OPTION_PEER:
        return take_peer(options, message, size);
    default: /* OPTION_UPSTREAM */
        options->upstream = optarg;
        if (!url_is_plain(optarg)) {
            snprintf(message, size,
                     "--upstream takes an http:// or https:// URL without a query");
            return false;
        }
        return true;
    }
}

static bool take(struct options *options, int letter, char *message, size_t size)
{
    switch (letter) {
    case OPTION_EXPOSE:
        options->expose = true;
        return true;
    case OPTION_BIND:
    case OPTION_PROFILE:
    case OPTION_PROFILE_DIR:
    case OPTION_MAX_HEAP:
    case OPTION_UPSTREAM:
    case OPTION_PEER:
        return take_word(options, letter, message, size);
    case OPTION_DEBUG_PORT:
        if (strcmp(optarg, "off") == 0) {
            options->debug_port = -1;
            return true;
        }
        return take_number(options, letter, message, size);
    default:
        return take_number(options, letter, message, size);
    }
}

static const struct option known_options[] = {
    {"port", required_argument, NULL, OPTION_PORT},
    {"debug-port", required_argument, NULL, OPTION_DEBUG_PORT},
    {"bind", required_argument, NULL, OPTION_BIND},
    {"expose", no_argument, NULL, OPTION_EXPOSE},
    {"profile", required_argument, NULL, OPTION_PROFILE},
    {"profile-dir", required_argument, NULL, OPTION_PROFILE_DIR},
    {"max-heap", required_argument, NULL, OPTION_MAX_HEAP},
    {"max-threads", required_argument, NULL, OPTION_MAX_THREADS},
    {"max-fds", required_argument, NULL, OPTION_MAX_FDS},
    {"max-timers", required_argument, NULL, OPTION_MAX_TIMERS},
    {"upstream", required_argument, NULL, OPTION_UPSTREAM},
    {"peer", required_argument, NULL, OPTION_PEER},
    {"help", no_argument, NULL, OPTION_HELP},
    {"version", no_argument, NULL, OPTION_VERSION},
    {0},
};

static void set_defaults(struct options *options)
{
    *options = (struct options){
        .port = variant.port,
        .debug_port = variant.debug_port,
        .bind = "127.0.0.1",
        .profile = true,
        .directory = "profiles",
        .max_heap = 512 * MIB,
        .max_threads = 2000,
        .max_fds = 1000,
        .max_timers = 2000,
    };
}

/* Says what is wrong with `word`, after getopt_long has returned `letter`. */
static void explain_unknown(int letter, const char *word, char *message, size_t size)
{
    if (letter == ':') {
        snprintf(message, size, "option '%s' needs a value", word);
    } else if (optopt > 0 && optopt < 256) { /* one letter of several, "-xy" */
        snprintf(message, size, "unknown option '-%c'", optopt);
    } else {
        snprintf(message, size, "unknown or misused option '%s'", word);
    }
}

/* Checks what only all options together tell. */
static bool check_together(const struct options *options, char *message, size_t size)
{
    if (strcmp(options->bind, "127.0.0.1") != 0 && !options->expose) {
        snprintf(message, size,
                 "--bind %s lets other machines reach a server made to leak: add "
                 "--expose if that is meant",
                 options->bind);
        return false;
    }
    return true;
}

enum options_result options_parse(struct options *options, int argc, char **argv,
                                  char *message, size_t message_size)
{
    set_defaults(options);
    opterr = 0;
    int letter;
    while ((letter = getopt_long(argc, argv, ":", known_options, NULL)) != -1) {
        switch (letter) {
        case OPTION_HELP:
            return OPTIONS_HELP;
        case OPTION_VERSION:
            return OPTIONS_VERSION;
        case '?':
        case ':':
            explain_unknown(letter, argv[optind - 1], message, message_size);
            return OPTIONS_WRONG;
        default:
            if (!take(options, letter, message, message_size)) {
                return OPTIONS_WRONG;
            }
        }
    }
    if (optind < argc) {
        snprintf(message, message_size, "unexpected argument '%s'", argv[optind]);
        return OPTIONS_WRONG;
    }
    return check_together(options, message, message_size) ? OPTIONS_RUN : OPTIONS_WRONG;
}
