/*
 * The table of leakcheck's options, and what they set for each of its six forms.
 */
#include "leakcheck/options.h"

#include <string.h>

#include "base/amount.h"
#include "base/command_line.h"
#include "base/size.h"
#include "leakcheck/options_check.h"

#define CALLS_MAX 10000
#define COUNT_LIMIT_MAX 1000000
#define TIMEOUT_MAX 86400
#define CALLS_DEFAULT 10
#define PID_MAX 4194304 /* the kernel's maximum: proc_sys_kernel(5) */

/* The values that the table's rows set. */
static struct taken taken;

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
     .most = OPTIONS_STATUS_MAX},
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
    {.name = "max-mappings",
     .word = "N",
     .help = "mappings of memory (%)",
     .number = &taken.limits[RESOURCE_MAPPINGS].most,
     .most = COUNT_LIMIT_MAX,
     .given = &taken.limits[RESOURCE_MAPPINGS].asked},
    {.name = "max-children",
     .word = "N",
     .help = "child processes (%)",
     .number = &taken.limits[RESOURCE_CHILDREN].most,
     .most = COUNT_LIMIT_MAX,
     .given = &taken.limits[RESOURCE_CHILDREN].asked},
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
        "server: does it lose memory until its end? Who opened, started or mapped "
        "what stays, and whether threads provably never go on, is said of a program "
        "under leakprobe and of the lab's servers; who holds the memory that leaks, or "
        "whether it is lost, too, but of the lab's servers only with --profile "
        "recorder: they stop for a moment, twice. The last only names the scenarios of "
        "one of the lab's servers, one a line.",
    .options = table,
    .count = sizeof(table) / sizeof(table[0]),
    .notes = "What can't be measured is named. Exit: 0 as it should be; 1 a leak not "
             "shown, a fix that leaks, answers that are unequal, or growth or loss "
             "over a limit; 2 wrong usage, no "
             "verdict possible (a program of --command that fails, too), a limit "
             "asked for on what could not be measured, or a fix that was not "
             "measured whole."};

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
    options.one_server = !options.to_its_end && options_one_server(&taken);
    int error = options_check(&taken, count, arguments, failure);
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
