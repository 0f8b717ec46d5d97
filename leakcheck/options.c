/*
 * The table of leakcheck's options, and the checks for each of its six forms.
 */
#include "leakcheck/options.h"

#include <errno.h>
#include <string.h>

#include "base/amount.h"
#include "base/command_line.h"
#include "base/size.h"

#define CALLS_MAX 10000
#define COUNT_LIMIT_MAX 1000000
#define TIMEOUT_MAX 86400
#define CALLS_DEFAULT 10
#define STATUS_MIN 200
#define EXIT_MAX 255
#define STATUS_MAX 599
#define PID_MAX 4194304 /* the kernel's maximum: proc_sys_kernel(5) */

/* The values that the table's rows set. */
static struct {
    int64_t rounds; /* 0: not given */
    int64_t calls;  /* 0: not given */
    int64_t timeout_secs;
    int64_t pid; /* 0: not given */
    struct limit limits[RESOURCE_COUNT];
    struct command_list scenarios;
    struct command_list own;
    struct command_list wrappers;
    const char *source;
    int64_t expect; /* 0: not given */
    struct command_list drives;
    struct command_list headers;
    const char *url;
    const char *profiles;
    const char *run;
    const char *command;
    int64_t max_lost;
    bool max_lost_asked;
    const char *drive_command;
    const char *method;
    const char *body;
    const char *binary;
    const char *json;
    const char *report;
    const char *text;
    bool list;
    bool alone;
} taken;

/* Sets the default limits in bytes a call: less is noise, or a very slow leak. The
 * resident set grows by whole pages; its limit is half a page. */
static void defaults_set(void)
{
    memset(&taken, 0, sizeof(taken));
    taken.timeout_secs = 300;
    taken.limits[RESOURCE_HEAP].most = KIB;
    taken.limits[RESOURCE_RSS].most = 2 * KIB;
}

static const struct command_option table[] = {
    {.name = "scenario",
     .word = "NAME",
     .help = "judge this scenario only (may be given again)",
     .list = &taken.scenarios},
    {.name = "rounds",
     .word = "R",
     .help = "rounds of calls, 2 to 100 (4; one server: 5, and from 12 on slow leaks "
             "are found, too)",
     .number = &taken.rounds,
     .least = 2,
     .most = ROUNDS_MAX},
    {.name = "calls",
     .word = "N",
     .help = "calls a round, 1 to 10000 (2; one server: 10); fewer where the lab's "
             "guard rails are near",
     .number = &taken.calls,
     .least = 1,
     .most = CALLS_MAX},
    {.name = "timeout",
     .word = "SECONDS",
     .help = "end without a verdict after that time (%)",
     .number = &taken.timeout_secs,
     .least = 1,
     .most = TIMEOUT_MAX},
    {.name = "json",
     .word = "FILE",
     .help = "write every sample and verdict as JSON",
     .text = &taken.json},
    {.name = "report",
     .word = "FILE.html",
     .help = "write a report that opens without a network",
     .text = &taken.report},
    {.name = "text",
     .word = "FILE",
     .help = "write the table plainly, one line a scenario",
     .text = &taken.text},
    {.name = "source",
     .word = "DIR",
     .help = "where the report finds leaky/ and fixed/ (.)",
     .text = &taken.source},
    {.name = "alone",
     .help = "judge the server at URL as a fixed half, without the leaky one",
     .given = &taken.alone},
    {.name = "list", .help = "only name the scenarios of URL", .given = &taken.list},
    {.help = "One server; a limit is what one call may leave behind:"},
    {.name = "url", .word = "URL", .help = "the server to judge", .text = &taken.url},
    {.name = "drive",
     .word = "PATH",
     .help = "what to call on it, with its query; without --url a whole URL. May be "
             "given again: the calls of a round take turns",
     .list = &taken.drives},
    {.name = "profiles",
     .word = "URL",
     .help = "in place of --url: where its profiles are, if not where it is driven",
     .text = &taken.profiles},
    {.name = "run",
     .word = "COMMAND",
     .help = "in place of --url: start this server under leakprobe, judge it, stop it. "
             "A simple command of the shell that stays in the foreground; it is "
             "judged itself, not what a wrapper such as timeout or sh starts",
     .text = &taken.run},
    {.name = "method",
     .word = "METHOD",
     .help = "how to call (GET; with --body: POST)",
     .text = &taken.method},
    {.name = "header",
     .word = "'NAME: VALUE'",
     .help = "send it with each call (may be given again)",
     .list = &taken.headers},
    {.name = "body",
     .word = "TEXT",
     .help = "send it with each call",
     .text = &taken.body},
    {.name = "expect",
     .word = "STATUS",
     .help = "the only status that is a success (else: 200 to 299; of --command: the "
             "exit status, else 0)",
     .number = &taken.expect,
     .least = 1,
     .most = STATUS_MAX},
    {.name = "drive-command",
     .word = "COMMAND",
     .help = "in place of --drive: a call is this command, run by sh; an exit status "
             "other than 0 is a failure",
     .text = &taken.drive_command},
    {.name = "max-growth",
     .word = "BYTES",
     .help = "heap (%; sizes take K, M, G)",
     .number = &taken.limits[RESOURCE_HEAP].most,
     .most = AMOUNT_MAX,
     .size = true,
     .given = &taken.limits[RESOURCE_HEAP].asked},
    {.name = "max-threads",
     .word = "N",
     .help = "threads, or goroutines (%)",
     .number = &taken.limits[RESOURCE_THREADS].most,
     .most = COUNT_LIMIT_MAX,
     .given = &taken.limits[RESOURCE_THREADS].asked},
    {.name = "max-fds",
     .word = "N",
     .help = "descriptors (%)",
     .number = &taken.limits[RESOURCE_FDS].most,
     .most = COUNT_LIMIT_MAX,
     .given = &taken.limits[RESOURCE_FDS].asked},
    {.name = "max-timers",
     .word = "N",
     .help = "POSIX timers (%)",
     .number = &taken.limits[RESOURCE_TIMERS].most,
     .most = COUNT_LIMIT_MAX,
     .given = &taken.limits[RESOURCE_TIMERS].asked},
    {.name = "max-rss",
     .word = "BYTES",
     .help = "resident memory (%)",
     .number = &taken.limits[RESOURCE_RSS].most,
     .most = AMOUNT_MAX,
     .size = true,
     .given = &taken.limits[RESOURCE_RSS].asked},
    {.name = "command",
     .word = "COMMAND",
     .help = "in place of a server: run this program to its end, with leakcheck's own "
             "input and output, and judge what is lost then: what nothing in it points "
             "to. A simple command of the shell",
     .text = &taken.command},
    {.name = "max-lost",
     .word = "BYTES",
     .help = "with --command: what may be lost (%)",
     .number = &taken.max_lost,
     .most = AMOUNT_MAX,
     .size = true,
     .given = &taken.max_lost_asked},
    {.name = "pid",
     .word = "PID",
     .help = "its process: count in /proc what it doesn't say itself",
     .number = &taken.pid,
     .least = 1,
     .most = PID_MAX},
    {.name = "binary",
     .word = "FILE",
     .help = "its program, for the names of functions",
     .text = &taken.binary},
    {.name = "own",
     .word = "PATH",
     .help = "a file, directory or library that is the program's own (may be given "
             "again; else: the program, not its libraries)",
     .list = &taken.own},
    {.name = "wrapper",
     .word = "NAME",
     .help = "a function that only passes allocations on and takes no blame; the "
             "start of one with a '*' at the end (may be given again; known already: "
             "xmalloc, zmalloc, g_malloc, ...)",
     .list = &taken.wrappers},
};

static const struct command_line command_line = {
    .program = "leakcheck",
    .usage = "[OPTION]... LEAKY_URL FIXED_URL\n"
             "[OPTION]... --alone URL\n"
             "[OPTION]... --url URL --drive '/path?x=1'\n"
             "[OPTION]... --run COMMAND --drive URL\n"
             "[OPTION]... --command COMMAND\n"
             "--list URL",
    .about =
        "The first form judges the lab's two servers: is every leak shown, does "
        "every fix hold, and are the answers of both equal? The second judges a "
        "server of the lab alone: do its scenarios keep nothing? The third judges "
        "one server of any make that serves a heap profile as gperftools or Go "
        "do: does this path leak, and where is it allocated? The fourth starts any "
        "C program for that, and stops it. The fifth runs a C program that is no "
        "server: does it lose memory until its end? Who holds what leaks, or whether "
        "it is lost, is said of a program under leakprobe, and of the lab's servers "
        "with --profile recorder: they stop for a moment, twice. The last only names "
        "the scenarios of one of "
        "the lab's servers, one a line.",
    .options = table,
    .count = sizeof(table) / sizeof(table[0]),
    .notes = "What can't be measured is named. Exit: 0 as it should be; 1 a leak not "
             "shown, a fix that leaks, answers that are unequal, or growth or loss "
             "over a limit; 2 wrong usage, no "
             "verdict possible (a program of --command that fails, too), or a limit "
             "asked for on what could not be measured."};

/* Refuses two reports that go to the same file. */
static int files_check(struct failure *failure)
{
    static const char *const names[] = {"--json", "--report", "--text"};
    const char *const paths[] = {taken.json, taken.report, taken.text};
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

static bool limit_is_asked(void)
{
    for (int i = 0; i < RESOURCE_COUNT; i++) {
        if (taken.limits[i].asked) {
            return true;
        }
    }
    return false;
}

/* Whether something is known of the one server besides its URL. */
static bool program_is_given(void)
{
    return taken.pid != 0 || taken.binary != NULL || taken.own.count > 0 ||
           taken.wrappers.count > 0;
}

/* Whether something is said of a request that no command has, too. */
static bool request_alone_is_given(void)
{
    return taken.method != NULL || taken.headers.count > 0 || taken.body != NULL;
}

/* Whether something is said of a request. */
static bool request_is_given(void)
{
    return request_alone_is_given() || taken.expect != 0;
}

/* Whether a server is named, or calls of it. */
static bool server_is_given(void)
{
    return taken.url != NULL || taken.profiles != NULL || taken.run != NULL ||
           taken.drives.count > 0 || taken.drive_command != NULL ||
           request_alone_is_given();
}

/* Whether there is one server to judge, or something that only makes sense with one. */
static bool one_server_is_given(void)
{
    return server_is_given() || request_is_given();
}

/* What both forms with the lab's servers refuse. */
static int lab_check(struct failure *failure)
{
    if (limit_is_asked()) {
        return failure_set(failure, EINVAL,
                           "a limit is for one server: it goes with --url");
    }
    if (program_is_given()) {
        return failure_set(failure, EINVAL,
                           "--pid, --binary, --own and --wrapper are for one server: "
                           "they go with --url");
    }
    return files_check(failure);
}

/* The form with the lab's two servers: refuses options of other forms, and missing
 * ones. */
static int pairs_check(int count, struct failure *failure)
{
    if (count != 2) {
        return failure_set(failure, EINVAL, "needs LEAKY_URL and FIXED_URL");
    }
    return lab_check(failure);
}

/* The form with one half alone: the same. */
static int alone_check(int count, struct failure *failure)
{
    if (count != 1 || one_server_is_given()) {
        return failure_set(failure, EINVAL,
                           "--alone takes the URL of one of the lab's servers");
    }
    if (taken.report != NULL || taken.text != NULL || taken.source != NULL) {
        return failure_set(failure, EINVAL,
                           "--text, --report and --source are for the lab's two "
                           "servers");
    }
    return lab_check(failure);
}

/* The form that lists scenarios: one URL, and no option that belongs to a verdict. */
static int list_check(int count, struct failure *failure)
{
    bool more = one_server_is_given() || taken.source != NULL || taken.json != NULL ||
                taken.report != NULL || taken.text != NULL || taken.alone ||
                taken.scenarios.count > 0 || taken.rounds != 0 || taken.calls != 0;
    if (count != 1 || more || limit_is_asked() || program_is_given()) {
        return failure_set(failure, EINVAL,
                           "--list takes the URL of one of the lab's servers, and "
                           "nothing else but --timeout");
    }
    return 0;
}

/* One path, or one whole URL. */
static int drive_check(const char *drive, struct failure *failure)
{
    bool whole =
        strncmp(drive, "http://", 7) == 0 || strncmp(drive, "https://", 8) == 0;
    if (taken.url != NULL && drive[0] != '/') {
        return failure_set(failure, EINVAL, "--drive takes a path: it starts with '/'");
    }
    if (taken.url == NULL && !whole) {
        return failure_set(failure, EINVAL,
                           "--drive takes a whole URL here (http://localhost:8080/x); "
                           "a path goes with --url");
    }
    const char *host = whole ? strstr(drive, "://") + 3 : drive;
    if (whole && host[strcspn(host, "/?")] == '?') {
        return failure_set(failure, EINVAL,
                           "--drive takes a URL with a '/' before '?'");
    }
    if (strpbrk(drive, " \t\r\n#") != NULL) {
        return failure_set(failure, EINVAL,
                           "--drive takes a path as it is sent: %%20 for a blank, %%23 "
                           "for '#'");
    }
    return 0;
}

/* Refuses a pattern that would be every function, or none. */
static int wrappers_check(struct failure *failure)
{
    for (size_t i = 0; i < taken.wrappers.count; i++) {
        const char *name = taken.wrappers.items[i];
        const char *star = strchr(name, '*');
        if (name[0] == '\0' || star == name || (star != NULL && star[1] != '\0')) {
            return failure_set(failure, EINVAL,
                               "--wrapper takes a function's name, or the start of one "
                               "with a '*' at the end: not '%.60s'",
                               name);
        }
    }
    return 0;
}

/* The characters of a method, or of the name of a header: RFC 9110, token. */
static size_t token_length(const char *text)
{
    return strspn(text, "!#$%&'*+-.^_`|~0123456789"
                        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");
}

static int request_check(struct failure *failure)
{
    const char *method = taken.method;
    if (taken.expect != 0 && taken.expect < STATUS_MIN) {
        return failure_set(failure, EINVAL,
                           "--expect takes a number from %d to %d for a request",
                           STATUS_MIN, STATUS_MAX);
    }
    if (method != NULL && (method[token_length(method)] != '\0' ||
                           strlen(method) > 30 || strcmp(method, "CONNECT") == 0)) {
        return failure_set(failure, EINVAL, "--method takes one such as POST");
    }
    if (method != NULL && taken.body != NULL && strcmp(method, "HEAD") == 0) {
        return failure_set(failure, EINVAL, "a request of --method HEAD has no --body");
    }
    for (size_t i = 0; i < taken.headers.count; i++) {
        const char *header = taken.headers.items[i];
        size_t name = token_length(header);
        const char *value = header + name + 1;
        if (name == 0 || header[name] != ':' || value[strspn(value, " \t")] == '\0' ||
            strpbrk(header, "\r\n") != NULL) {
            return failure_set(failure, EINVAL,
                               "--header takes one line, such as 'Accept: text/html'");
        }
    }
    return 0;
}

/* What is called: requests or a command. */
static int calls_check(struct failure *failure)
{
    if (taken.drives.count > 0 && taken.drive_command != NULL) {
        return failure_set(failure, EINVAL,
                           "--drive-command takes the place of --drive");
    }
    if (taken.drive_command != NULL && request_is_given()) {
        return failure_set(failure, EINVAL,
                           "--method, --header, --body and --expect are of requests: "
                           "they go with --drive");
    }
    if (taken.calls != 0 && (size_t)taken.calls < taken.drives.count) {
        return failure_set(
            failure, EINVAL,
            "--calls %d is too few for %zu of --drive: each is called in "
            "each round",
            (int)taken.calls, taken.drives.count);
    }
    int error = request_check(failure);
    for (size_t i = 0; i < taken.drives.count && error == 0; i++) {
        error = drive_check(taken.drives.items[i], failure);
    }
    return error;
}

/* Where the profiles come from: exactly one of three. */
static int source_check(struct failure *failure)
{
    if (taken.url != NULL && taken.profiles != NULL) {
        return failure_set(failure, EINVAL, "--profiles takes the place of --url");
    }
    if (taken.run != NULL &&
        (taken.url != NULL || taken.profiles != NULL || taken.pid != 0)) {
        return failure_set(failure, EINVAL,
                           "--run knows its process and its profiles: it goes without "
                           "--url, --profiles and --pid");
    }
    if (taken.url == NULL && taken.profiles == NULL && taken.run == NULL) {
        return failure_set(
            failure, EINVAL,
            "%s needs --url, the server to judge, or --profiles or --run",
            taken.drives.count > 0        ? "--drive"
            : taken.drive_command != NULL ? "--drive-command"
                                          : "a request");
    }
    if (taken.drives.count == 0 && taken.drive_command == NULL) {
        return failure_set(failure, EINVAL, "%s needs --drive, %s to call",
                           taken.url != NULL        ? "--url"
                           : taken.profiles != NULL ? "--profiles"
                                                    : "--run",
                           taken.url != NULL ? "the path" : "the URL");
    }
    return 0;
}

/* The form with one server: refuses options of other forms, and missing ones. */
static int one_check(const char *extra, struct failure *failure)
{
    int error = source_check(failure);
    if (error < 0) {
        return error;
    }
    if (extra != NULL) {
        return failure_set(
            failure, EINVAL, "one server is judged; what is '%.60s' for?",
            strrchr(extra, '@') == NULL ? extra : strrchr(extra, '@') + 1);
    }
    if (taken.scenarios.count > 0 || taken.report != NULL || taken.text != NULL ||
        taken.source != NULL) {
        return failure_set(
            failure, EINVAL,
            "--scenario, --text, --report and --source are for the lab's two servers");
    }
    error = wrappers_check(failure);
    return error < 0 ? error : calls_check(failure);
}

/* The form with a program that is no server. */
static int ending_check(int count, struct failure *failure)
{
    if (count > 0) {
        return failure_set(failure, EINVAL,
                           "--command takes the program with its arguments as one "
                           "word: --command './app file'");
    }
    bool lab = taken.scenarios.count > 0 || taken.report != NULL ||
               taken.text != NULL || taken.source != NULL || taken.list || taken.alone;
    if (lab || server_is_given() || limit_is_asked() || taken.rounds != 0 ||
        taken.calls != 0 || taken.pid != 0 || taken.binary != NULL) {
        return failure_set(failure, EINVAL,
                           "--command runs a program to its end: of the other options "
                           "it takes --max-lost, --expect, --own, --wrapper, --timeout "
                           "and --json");
    }
    if (taken.expect > EXIT_MAX) {
        return failure_set(failure, EINVAL,
                           "--expect with --command is an exit status: at most %d",
                           EXIT_MAX);
    }
    return wrappers_check(failure);
}

static struct blame_own own_settings(void)
{
    return (struct blame_own){.paths = taken.own.items,
                              .count = taken.own.count,
                              .wrappers = {.skip = true,
                                           .names = taken.wrappers.items,
                                           .count = taken.wrappers.count}};
}

static struct losses_settings losses_settings(void)
{
    return (struct losses_settings){.command = taken.command,
                                    .max_lost = taken.max_lost,
                                    .expect = (int)taken.expect,
                                    .own = own_settings(),
                                    .timeout_secs = (unsigned)taken.timeout_secs};
}

static struct call_settings call_settings(void)
{
    const char *plain = taken.body == NULL ? "GET" : "POST";
    return (struct call_settings){.drives = taken.drives.items,
                                  .drive_count = taken.drives.count,
                                  .command = taken.drive_command,
                                  .method = taken.method == NULL ? plain : taken.method,
                                  .body = taken.body,
                                  .headers = taken.headers.items,
                                  .header_count = taken.headers.count,
                                  .expect = taken.expect};
}

/* The calls of a round: at least one for each URL. */
static unsigned calls_default(void)
{
    return taken.drives.count > CALLS_DEFAULT ? (unsigned)taken.drives.count
                                              : CALLS_DEFAULT;
}

static struct gate_settings gate_settings(void)
{
    struct gate_settings settings = {
        .url = taken.url != NULL ? taken.url : taken.profiles,
        .run = taken.run,
        .call = call_settings(),
        .binary = taken.binary,
        .pid = (int)taken.pid,
        .own = own_settings(),
        .rounds = taken.rounds == 0 ? 5 : (unsigned)taken.rounds,
        .calls = taken.calls == 0 ? calls_default() : (unsigned)taken.calls,
        .timeout_secs = (unsigned)taken.timeout_secs};
    memcpy(settings.limits, taken.limits, sizeof(settings.limits));
    return settings;
}

/* Of the form with one half alone, the only URL is that of the fixed one. */
static struct judge_order pairs_settings(char **urls)
{
    return (struct judge_order){.urls = {urls[0], taken.alone ? urls[0] : urls[1]},
                                .scenarios = taken.scenarios.items,
                                .scenario_count = taken.scenarios.count,
                                .rounds =
                                    taken.rounds == 0 ? 4 : (unsigned)taken.rounds,
                                .calls = taken.calls == 0 ? 2 : (unsigned)taken.calls,
                                .timeout_secs = (unsigned)taken.timeout_secs};
}

/* Finds out which form is used, and checks it. */
static enum command_result form_read(int count, char **arguments,
                                     struct options *ret_options,
                                     struct failure *failure)
{
    struct options options = {.source = taken.source == NULL ? "." : taken.source,
                              .json = taken.json,
                              .report = taken.report,
                              .text = taken.text,
                              .list = taken.list,
                              .alone = taken.alone};
    options.to_its_end = taken.command != NULL;
    options.one_server = !options.to_its_end && one_server_is_given();
    int error = options.to_its_end ? ending_check(count, failure)
                : taken.max_lost_asked
                    ? failure_set(failure, EINVAL, "--max-lost goes with --command")
                : options.list       ? list_check(count, failure)
                : options.alone      ? alone_check(count, failure)
                : options.one_server ? one_check(arguments[0], failure)
                                     : pairs_check(count, failure);
    if (error < 0) {
        return COMMAND_WRONG;
    }
    if (options.to_its_end) {
        options.losses = losses_settings();
    } else if (options.one_server) {
        options.gate = gate_settings();
    } else {
        options.pairs = pairs_settings(arguments);
    }
    *ret_options = options;
    return COMMAND_RUN;
}

bool options_parse(struct options *ret_options, int count, char **arguments,
                   int *ret_status)
{
    struct failure failure;
    int rest;
    defaults_set();
    enum command_result result =
        command_line_read(&command_line, count, arguments, &rest, &failure);
    if (result == COMMAND_RUN) {
        result = form_read(count - rest, arguments + rest, ret_options, &failure);
    }
    if (result != COMMAND_RUN) {
        defaults_set(); /* again, because --help shows the defaults */
        *ret_status = command_line_answer(&command_line, result, &failure);
        return false;
    }
    return true;
}
