/*
 * The shell becomes leakprobe, and that the program: so its process is the one that was
 * started. A thread reads what the program prints, so that it never waits for a reader.
 */
#include "leakcheck/measure/program.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "leakcheck/measure/command.h"
#include "leakcheck/measure/launcher.h"
#include "leakcheck/measure/process.h"
#include "leakcheck/measure/replies.h"

#define START_LIMIT_MS 30000
#define LOOK_PAUSE_MS 20
#define COMMAND_PATIENCE_MS 10000 /* for the first success of --drive-command */
#define COMMAND_PAUSE_MS 200
#define ANSWER_LIMIT_MS 2000 /* for /status, while the program starts */
#define STOP_PATIENCE_MS 5000
#define END_PATIENCE_MS 500 /* after a failure: does the program end, too? */
#define LAST_READS 64
#define PATH_MAX_HERE 4096

/* A port of this machine that nobody uses now; 0: none. If it is taken before the
 * program starts, leakprobe takes the next one, and says so. */
static unsigned port_find(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool found = fd >= 0 &&
                 bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0 &&
                 getsockname(fd, (struct sockaddr *)&address, &length) == 0;
    if (fd >= 0) {
        close(fd);
    }
    return found ? ntohs(address.sin_port) : 0;
}

/* -- what it prints ---------------------------------------------------------------- */

/* Reads "leakprobe: NAME, pid 4242: http://127.0.0.1:6060/". The name can hold
 * anything, so the last ", pid " counts. */
static bool announcement_parse(const char *line, struct program_port *ret_port)
{
    static const char start[] = "leakprobe: ";
    const char *found = NULL;
    int end = 0;
    if (strncmp(line, start, strlen(start)) != 0) {
        return false;
    }
    for (const char *at = strstr(line, ", pid "); at != NULL;
         at = strstr(at + 1, ", pid ")) {
        found = at;
    }
    return found != NULL &&
           sscanf(found, ", pid %9d: http://127.0.0.1:%5u/%n", &ret_port->pid,
                  &ret_port->port, &end) == 2 &&
           end > 0 && found[end] == '\0' && ret_port->pid > 0 && ret_port->port > 0;
}

/* Notes a line that says where a debug port is. */
static void line_end(struct program *program)
{
    char line[TAIL_BYTES + 1];
    struct program_port port;
    memcpy(line, program->line.bytes, program->line.length);
    line[program->line.length] = '\0';
    program->line.length = 0;
    if (announcement_parse(line, &port) && program->port_count < PROGRAM_PORTS_MAX) {
        program->ports[program->port_count++] = port;
    }
}

static void output_take(struct program *program, const char *part, size_t length)
{
    pthread_mutex_lock(&program->lock);
    tail_add(&program->tail, part, length);
    while (length > 0) {
        const char *newline = memchr(part, '\n', length);
        size_t taken = newline == NULL ? length : (size_t)(newline - part);
        tail_add(&program->line, part, taken);
        if (newline != NULL) {
            line_end(program);
            taken++;
        }
        part += taken;
        length -= taken;
    }
    pthread_mutex_unlock(&program->lock);
}

/* Reads what is there. Returns false at the end of the output. */
static bool output_read(struct program *program)
{
    char part[16384];
    ssize_t length = read(program->child.output, part, sizeof(part));
    if (length > 0) {
        output_take(program, part, (size_t)length);
    }
    return length > 0 || (length < 0 && (errno == EAGAIN || errno == EINTR));
}

static void *reader_main(void *argument)
{
    struct program *program = argument;
    struct pollfd watched[] = {{.fd = program->child.output, .events = POLLIN},
                               {.fd = program->stop_fd, .events = POLLIN}};
    while (watched[1].revents == 0) {
        ppoll(watched, 2, NULL, NULL);
        if (watched[0].revents != 0 && !output_read(program)) {
            watched[0].fd = -1;
        }
    }
    /* What was printed until its end is still in the pipe. */
    for (int i = 0; i < LAST_READS && output_read(program); i++) {
    }
    return NULL;
}

/* -- start ------------------------------------------------------------------------- */

/* Starts the shell, which becomes leakprobe. Its $0 is leakprobe's path, which can hold
 * any characters. */
static int shell_start(struct program *program, const char *launcher, unsigned port,
                       struct failure *failure)
{
    static const char format[] = "exec \"$0\" --port %u -- %s";
    size_t size = sizeof(format) + 20 + strlen(program->command);
    char *text = malloc(size);
    if (text == NULL) {
        return failure_set(failure, ENOMEM, "out of memory");
    }
    snprintf(text, size, format, port, program->command);
    const char *const arguments[] = {"/bin/sh", "-c", text, launcher, NULL};
    int error = child_start(&program->child, arguments, failure);
    free(text);
    return error;
}

static int reader_start(struct program *program, struct failure *failure)
{
    program->stop_fd = eventfd(0, EFD_CLOEXEC);
    if (program->stop_fd >= 0 &&
        pthread_create(&program->reader, NULL, reader_main, program) == 0) {
        return 0;
    }
    if (program->stop_fd >= 0) {
        close(program->stop_fd);
    }
    child_end_all(0);
    child_finish(&program->child);
    return failure_set(failure, EAGAIN, "cannot start a thread");
}

int program_start(struct program *program, const char *command, struct failure *failure)
{
    char launcher[PATH_MAX_HERE];
    *program = (struct program){.command = command};
    int error = launcher_find(launcher, sizeof(launcher), "--run", failure);
    if (error < 0) {
        return error;
    }
    unsigned port = port_find();
    if (port == 0) {
        return failure_set(failure, EADDRINUSE, "--run: no port is free");
    }
    pthread_mutex_init(&program->lock, NULL);
    error = shell_start(program, launcher, port, failure);
    if (error == 0) {
        /* The first process, in case that its line gets lost in other output. */
        program->ports[0] =
            (struct program_port){.pid = program->child.pid, .port = port};
        program->port_count = 1;
        error = reader_start(program, failure);
    }
    return error;
}

/* -- wait -------------------------------------------------------------------------- */

/* Whether the debug port answers, for this very process. */
static bool port_answers(const struct program_port *port, int64_t deadline_ms)
{
    char url[40];
    struct http http;
    struct http_reply reply = {0};
    struct status status = {.pid = UNKNOWN};
    struct failure why;
    int64_t limit_ms = clock_now_ms() + ANSWER_LIMIT_MS;
    snprintf(url, sizeof(url), "http://127.0.0.1:%u", port->port);
    if (http_open(&http, url, &why) < 0) {
        return false;
    }
    http_deadline(&http, limit_ms < deadline_ms ? limit_ms : deadline_ms);
    bool answers =
        http_get_ok(&http, "/status", &reply, &why) == 0 &&
        status_parse(&status, reply.body.data, reply.body.length, NULL, &why) == 0 &&
        status.pid == port->pid;
    http_reply_release(&reply);
    http_close(&http);
    return answers;
}

/* Whether the process serves the URL: connects, and looks who has the other end. */
static int url_is_served(const char *url, int pid, int64_t deadline_ms,
                         bool *ret_serves, struct failure *failure)
{
    const char *path;
    struct http http;
    struct process process;
    *ret_serves = false;
    int error = caller_url_open(url, &http, &path, failure);
    if (error < 0) {
        return error;
    }
    http_deadline(&http, deadline_ms);
    error = http_connect(&http, failure);
    if (error == 0) {
        error = process_open(&process, pid, failure);
    }
    if (error == 0) {
        error = process_serves(&process, http_port(&http), http_local_port(&http),
                               ret_serves, failure);
    }
    if (error == 0 && !*ret_serves) {
        failure_set(failure, ESRCH, "process %d does not serve %s%.200s", pid,
                    http.base, path);
    }
    http_close(&http);
    return error;
}

/* Whether the process serves all URLs; if not, the failure says what is missing. */
static bool is_ready(const struct program_port *port, const struct call_settings *calls,
                     int64_t deadline_ms, struct failure *failure)
{
    bool serves = true;
    for (size_t i = 0; i < calls->drive_count && serves; i++) {
        if (url_is_served(calls->drives[i], port->pid, deadline_ms, &serves, failure) <
            0) {
            serves = false;
        }
    }
    if (serves && !port_answers(port, deadline_ms)) {
        failure_set(failure, EAGAIN,
                    "no answer from the debug port of process %d (is it the server "
                    "itself, or a script that starts it?)",
                    port->pid);
        return false;
    }
    return serves;
}

/* Copies the ports that are known so far. */
static size_t ports_copy(struct program *program, struct program_port *ret_ports)
{
    pthread_mutex_lock(&program->lock);
    size_t count = program->port_count;
    memcpy(ret_ports, program->ports, count * sizeof(*ret_ports));
    pthread_mutex_unlock(&program->lock);
    return count;
}

/* Looks once for the process to judge. Without URLs that is the program itself. */
static bool process_find(struct program *program, const struct call_settings *calls,
                         int64_t deadline_ms, struct failure *failure)
{
    struct program_port ports[PROGRAM_PORTS_MAX];
    size_t count = ports_copy(program, ports);
    for (size_t i = 0; i < count; i++) {
        bool chosen = calls->drive_count > 0 || ports[i].pid == program->child.pid;
        if (chosen && is_ready(&ports[i], calls, deadline_ms, failure)) {
            program->pid = ports[i].pid;
            snprintf(program->url, sizeof(program->url), "http://127.0.0.1:%u",
                     ports[i].port);
            return true;
        }
    }
    return false;
}

/* Nothing says where a command calls the program, so its first success says that the
 * program is ready. */
static int command_await(const struct program *program, const char *command,
                         int64_t deadline_ms, struct failure *failure)
{
    int64_t end_ms = clock_now_ms() + COMMAND_PATIENCE_MS;
    int error;
    while ((error = command_run(command, deadline_ms, failure)) < 0 &&
           clock_now_ms() < end_ms && clock_now_ms() < deadline_ms &&
           !child_has_ended(&program->child, 0)) {
        clock_sleep_ms(COMMAND_PAUSE_MS);
    }
    return error;
}

int program_await(struct program *program, const struct call_settings *calls,
                  int64_t deadline_ms, struct failure *failure)
{
    struct failure missing = {"its debug port does not answer"};
    int64_t start_ms = clock_now_ms();
    int64_t limit_ms = start_ms + START_LIMIT_MS;
    int64_t end_ms = deadline_ms < limit_ms ? deadline_ms : limit_ms;
    struct failure latest = missing;
    while (!process_find(program, calls, end_ms, &latest)) {
        int64_t now_ms = clock_now_ms();
        if (child_has_ended(&program->child, 0)) {
            return failure_set(failure, ESRCH, "--run: the program has ended");
        }
        if (now_ms >= end_ms) { /* the latest reason is that the time is over */
            return failure_set(failure, ETIMEDOUT,
                               "--run: the program is not ready after %d s: %.400s",
                               (int)((now_ms - start_ms + 500) / 1000), missing.text);
        }
        missing = latest;
        clock_sleep_ms(LOOK_PAUSE_MS);
    }
    return calls->command == NULL
               ? 0
               : command_await(program, calls->command, deadline_ms, failure);
}

int program_check(const struct program *program, const struct caller *caller,
                  struct failure *failure)
{
    struct process process;
    int error = process_open(&process, program->pid, failure);
    for (size_t i = 0; i < caller->own_count && error == 0; i++) {
        const struct http *http = &caller->own[i];
        bool serves;
        error = process_serves(&process, http_port(http), http_local_port(http),
                               &serves, failure);
        if (error == 0 && !serves) {
            error = failure_set(failure, EPROTO,
                                "--run: another process than %d, which is judged, "
                                "serves %s; run the server as one process",
                                program->pid, http->base);
        }
    }
    return error;
}

/* -- stop -------------------------------------------------------------------------- */

void program_explain(struct program *program, struct failure *failure)
{
    if (program->child.pid == 0 || !child_has_ended(&program->child, END_PATIENCE_MS)) {
        return;
    }
    const char *when = program->pid == 0 ? "before it could be judged"
                                         : "while it was judged; no verdict";
    program_stop(program);
    failure_set(failure, ESRCH, "--run: the program ended with %s %s",
                child_end_text(program->status).at, when);
}

void program_stop(struct program *program)
{
    if (program->child.pid == 0) {
        return;
    }
    program->by_itself = child_has_ended(&program->child, 0);
    child_end_all(STOP_PATIENCE_MS);
    uint64_t one = 1;
    while (write(program->stop_fd, &one, sizeof(one)) < 0 && errno == EINTR) {
    }
    pthread_join(program->reader, NULL);
    close(program->stop_fd);
    child_finish(&program->child);
    program->status = program->child.status;
    pthread_mutex_destroy(&program->lock);
}
