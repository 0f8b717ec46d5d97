/*
 * The output is read while the command runs, so that a full pipe never stops it.
 */
#include "leakcheck/measure/command.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/size.h"
#include "leakcheck/measure/child.h"
#include "leakcheck/measure/tail.h"

#define LINES_SHOWN 3
#define LOOK_MS 10 /* how often to look where nothing says that a process ends */
#define LAST_READS                                                                     \
    64 /* of what is in the pipe at the end; the background may go on                  \
        */

/* Reads what is there. Returns false at the end of the output. */
static bool output_read(int output, struct tail *tail)
{
    char part[4096];
    ssize_t length = read(output, part, sizeof(part));
    if (length > 0) {
        tail_add(tail, part, (size_t)length);
    }
    return length > 0 || (length < 0 && (errno == EAGAIN || errno == EINTR));
}

/* Waits until the command has ended. Returns false if it has not by `end_ms`. */
static bool command_wait(const struct child *child, int64_t end_ms, struct tail *tail)
{
    struct pollfd watched[] = {{.fd = child->output, .events = POLLIN},
                               {.fd = child->ended_fd, .events = POLLIN}};
    while (!child_has_ended(child, 0)) {
        int64_t left = end_ms - clock_now_ms();
        if (left <= 0) {
            return false;
        }
        left = child->ended_fd < 0 && left > LOOK_MS ? LOOK_MS : left;
        const struct timespec pause = {.tv_sec = left / 1000,
                                       .tv_nsec = left % 1000 * CLOCK_NS_PER_MS};
        ppoll(watched, 2, &pause, NULL);
        if (watched[0].revents != 0 && !output_read(child->output, tail)) {
            watched[0].fd = -1;
        }
    }
    for (int i = 0; i < LAST_READS && output_read(child->output, tail); i++) {
    }
    return true;
}

/* "; its last lines: connecting | refused"; "" if it printed nothing. */
struct last_lines {
    char at[LINES_SHOWN * (TAIL_WIDTH + 4) + 24];
};

static struct last_lines lines_join(const struct tail *tail)
{
    struct tail_lines lines;
    struct last_lines text = {""};
    size_t length = 0;
    tail_split(tail, &lines);
    size_t from = lines.count > LINES_SHOWN ? lines.count - LINES_SHOWN : 0;
    for (size_t i = from; i < lines.count; i++) {
        length +=
            (size_t)snprintf(text.at + length, sizeof(text.at) - length, "%s%s",
                             i == from ? "; its last lines: " : " | ", lines.at[i]);
    }
    return text;
}

int command_run(const char *command, int64_t deadline_ms, struct failure *failure)
{
    const char *const arguments[] = {"/bin/sh", "-c", command, NULL};
    struct child child = {0};
    struct tail tail = {0};
    int64_t limit_ms = clock_now_ms() + COMMAND_LIMIT_MS;
    int64_t end_ms = deadline_ms < limit_ms ? deadline_ms : limit_ms;
    int error = child_start(&child, arguments, failure);
    if (error < 0) {
        return error;
    }
    bool ended = command_wait(&child, end_ms, &tail);
    child_finish(&child);
    if (!ended && end_ms == deadline_ms) {
        return failure_set(failure, ETIMEDOUT,
                           "the run's time is over (in --drive-command); --timeout "
                           "allows more");
    }
    if (!ended) {
        return failure_set(failure, ETIMEDOUT, "--drive-command runs for over %d s%s",
                           COMMAND_LIMIT_MS / 1000, lines_join(&tail).at);
    }
    if (child.status != 0) {
        return failure_set(failure, EPROTO, "--drive-command failed with %s%s",
                           child_end_text(child.status).at, lines_join(&tail).at);
    }
    return 0;
}
