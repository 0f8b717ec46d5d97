#include "leakcheck/options_check.h"
#include "leakcheck/simple_command.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define STATUS_MIN 200
#define EXIT_MAX 255

/* Refuses two reports that go to the same file. */
static int files_check(const struct taken *taken, struct failure *failure)
{
    static const char *const names[] = {"--json", "--report", "--text"};
    const char *const paths[] = {taken->json, taken->report, taken->text};
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

static bool limit_is_asked(const struct taken *taken)
{
    for (int i = 0; i < RESOURCE_COUNT; i++) {
        if (taken->limits[i].asked) {
            return true;
        }
    }
    return false;
}

/* Whether something is known of the one server besides its URL. */
static bool program_is_given(const struct taken *taken)
{
    return taken->pid != 0 || taken->binary != NULL || taken->own.count > 0 ||
           taken->wrappers.count > 0;
}

/* Whether something is said of a request that no command has, too. */
static bool request_alone_is_given(const struct taken *taken)
{
    return taken->method != NULL || taken->headers.count > 0 || taken->body != NULL;
}

/* Whether something is said of a request. */
static bool request_is_given(const struct taken *taken)
{
    return request_alone_is_given(taken) || taken->expect != 0;
}

/* Whether a server is named, or calls of it. */
static bool server_is_given(const struct taken *taken)
{
    return taken->url != NULL || taken->profiles != NULL || taken->run != NULL ||
           taken->drives.count > 0 || taken->drive_command != NULL ||
           request_alone_is_given(taken);
}

bool options_one_server(const struct taken *taken)
{
    return server_is_given(taken) || request_is_given(taken);
}

/* What both forms with the lab's servers refuse. */
static int lab_check(const struct taken *taken, struct failure *failure)
{
    if (limit_is_asked(taken)) {
        return failure_set(failure, EINVAL,
                           "a limit is for one server: it goes with --url");
    }
    if (program_is_given(taken)) {
        return failure_set(failure, EINVAL,
                           "--pid, --binary, --own and --wrapper are for one server: "
                           "they go with --url");
    }
    return files_check(taken, failure);
}

/* The form with the lab's two servers: refuses options of other forms, and missing
 * ones. */
static int pairs_check(const struct taken *taken, int count, struct failure *failure)
{
    if (count != 2) {
        return failure_set(failure, EINVAL, "needs LEAKY_URL and FIXED_URL");
    }
    return lab_check(taken, failure);
}

/* The form with one half alone: the same. */
static int alone_check(const struct taken *taken, int count, struct failure *failure)
{
    if (count != 1 || options_one_server(taken)) {
        return failure_set(failure, EINVAL,
                           "--alone takes the URL of one of the lab's servers");
    }
    if (taken->report != NULL || taken->text != NULL || taken->source != NULL) {
        return failure_set(failure, EINVAL,
                           "--text, --report and --source are for the lab's two "
                           "servers");
    }
    return lab_check(taken, failure);
}

/* The form that lists scenarios: one URL, and no option that belongs to a verdict. */
static int list_check(const struct taken *taken, int count, struct failure *failure)
{
    bool more = options_one_server(taken) || taken->source != NULL ||
                taken->json != NULL || taken->report != NULL || taken->text != NULL ||
                taken->alone || taken->scenarios.count > 0 || taken->rounds != 0 ||
                taken->calls != 0;
    if (count != 1 || more || limit_is_asked(taken) || program_is_given(taken)) {
        return failure_set(failure, EINVAL,
                           "--list takes the URL of one of the lab's servers, and "
                           "nothing else but --timeout");
    }
    return 0;
}

/* One path, or one whole URL. */
static int drive_check(const struct taken *taken, const char *drive,
                       struct failure *failure)
{
    bool whole =
        strncmp(drive, "http://", 7) == 0 || strncmp(drive, "https://", 8) == 0;
    if (taken->url != NULL && drive[0] != '/') {
        return failure_set(failure, EINVAL, "--drive takes a path: it starts with '/'");
    }
    if (taken->url == NULL && !whole) {
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

/* The value of --run or --command; NULL is fine. */
static int simple_check(const char *option, const char *line, struct failure *failure)
{
    if (line == NULL) {
        return 0;
    }
    if (line[strspn(line, " \t\n")] == '\0') {
        return failure_set(failure, EINVAL, "the value of %s is empty", option);
    }
    const char *found = simple_command_operator(line);
    if (found == NULL) {
        return 0;
    }
    char shown[sizeof("'&&'")];
    snprintf(shown, sizeof(shown), "'%.*s'", found[1] == found[0] ? 2 : 1, found);
    return failure_set(failure, EINVAL,
                       "%s takes one simple command of the shell, without %s: only one "
                       "program is judged; run others before leakcheck, or after it",
                       option, *found == '\n' ? "a second line" : shown);
}

/* Refuses a pattern that would be every function, or none. */
static int wrappers_check(const struct taken *taken, struct failure *failure)
{
    for (size_t i = 0; i < taken->wrappers.count; i++) {
        const char *name = taken->wrappers.items[i];
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

static int request_check(const struct taken *taken, struct failure *failure)
{
    const char *method = taken->method;
    if (taken->expect != 0 && taken->expect < STATUS_MIN) {
        return failure_set(failure, EINVAL,
                           "--expect takes a number from %d to %d for a request",
                           STATUS_MIN, OPTIONS_STATUS_MAX);
    }
    if (method != NULL && (method[token_length(method)] != '\0' ||
                           strlen(method) > 30 || strcmp(method, "CONNECT") == 0)) {
        return failure_set(failure, EINVAL, "--method takes one such as POST");
    }
    if (method != NULL && taken->body != NULL && strcmp(method, "HEAD") == 0) {
        return failure_set(failure, EINVAL, "a request of --method HEAD has no --body");
    }
    for (size_t i = 0; i < taken->headers.count; i++) {
        const char *header = taken->headers.items[i];
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
static int calls_check(const struct taken *taken, struct failure *failure)
{
    if (taken->drives.count > 0 && taken->drive_command != NULL) {
        return failure_set(failure, EINVAL,
                           "--drive-command takes the place of --drive");
    }
    if (taken->drive_command != NULL && request_is_given(taken)) {
        return failure_set(failure, EINVAL,
                           "--method, --header, --body and --expect are of requests: "
                           "they go with --drive");
    }
    if (taken->calls != 0 && (size_t)taken->calls < taken->drives.count) {
        return failure_set(
            failure, EINVAL,
            "--calls %d is too few for %zu of --drive: each is called in "
            "each round",
            (int)taken->calls, taken->drives.count);
    }
    int error = request_check(taken, failure);
    for (size_t i = 0; i < taken->drives.count && error == 0; i++) {
        error = drive_check(taken, taken->drives.items[i], failure);
    }
    return error;
}

/* Where the profiles come from: exactly one of three. */
static int source_check(const struct taken *taken, struct failure *failure)
{
    if (taken->url != NULL && taken->profiles != NULL) {
        return failure_set(failure, EINVAL, "--profiles takes the place of --url");
    }
    if (taken->run != NULL &&
        (taken->url != NULL || taken->profiles != NULL || taken->pid != 0)) {
        return failure_set(failure, EINVAL,
                           "--run knows its process and its profiles: it goes without "
                           "--url, --profiles and --pid");
    }
    if (taken->url == NULL && taken->profiles == NULL && taken->run == NULL) {
        return failure_set(
            failure, EINVAL,
            "%s needs --url, the server to judge, or --profiles or --run",
            taken->drives.count > 0        ? "--drive"
            : taken->drive_command != NULL ? "--drive-command"
                                           : "a request");
    }
    if (taken->drives.count == 0 && taken->drive_command == NULL) {
        return failure_set(failure, EINVAL, "%s needs --drive, %s to call",
                           taken->url != NULL        ? "--url"
                           : taken->profiles != NULL ? "--profiles"
                                                     : "--run",
                           taken->url != NULL ? "the path" : "the URL");
    }
    return 0;
}

/* The form with one server: refuses options of other forms, and missing ones. */
static int one_check(const struct taken *taken, const char *extra,
                     struct failure *failure)
{
    int error = source_check(taken, failure);
    if (error < 0) {
        return error;
    }
    if (extra != NULL) {
        return failure_set(
            failure, EINVAL, "one server is judged; what is '%.60s' for?",
            strrchr(extra, '@') == NULL ? extra : strrchr(extra, '@') + 1);
    }
    if (taken->scenarios.count > 0 || taken->report != NULL || taken->text != NULL ||
        taken->source != NULL) {
        return failure_set(
            failure, EINVAL,
            "--scenario, --text, --report and --source are for the lab's two servers");
    }
    error = simple_check("--run", taken->run, failure);
    error = error < 0 ? error : wrappers_check(taken, failure);
    return error < 0 ? error : calls_check(taken, failure);
}

/* The form with a program that is no server. */
static int ending_check(const struct taken *taken, int count, struct failure *failure)
{
    if (count > 0) {
        return failure_set(failure, EINVAL,
                           "--command takes the program with its arguments as one "
                           "word: --command './app file'");
    }
    bool lab = taken->scenarios.count > 0 || taken->report != NULL ||
               taken->text != NULL || taken->source != NULL || taken->list ||
               taken->alone;
    if (lab || server_is_given(taken) || limit_is_asked(taken) || taken->rounds != 0 ||
        taken->calls != 0 || taken->pid != 0 || taken->binary != NULL) {
        return failure_set(failure, EINVAL,
                           "--command runs a program to its end: of the other options "
                           "it takes --max-lost, --expect, --own, --wrapper, --timeout "
                           "and --json");
    }
    if (taken->expect > EXIT_MAX) {
        return failure_set(failure, EINVAL,
                           "--expect with --command is an exit status: at most %d",
                           EXIT_MAX);
    }
    int error = simple_check("--command", taken->command, failure);
    return error < 0 ? error : wrappers_check(taken, failure);
}

int options_check(const struct taken *taken, int count, char **arguments,
                  struct failure *failure)
{
    if (taken->command != NULL) {
        return ending_check(taken, count, failure);
    }
    if (taken->max_lost_asked) {
        return failure_set(failure, EINVAL, "--max-lost goes with --command");
    }
    if (taken->list) {
        return list_check(taken, count, failure);
    }
    if (taken->alone) {
        return alone_check(taken, count, failure);
    }
    if (options_one_server(taken)) {
        return one_check(taken, arguments[0], failure);
    }
    return pairs_check(taken, count, failure);
}
