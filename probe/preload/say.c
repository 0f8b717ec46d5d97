#include "probe/preload/say.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "probe/recorder/inside.h"

static bool silent = true;
static struct stat error_stream;

void probe_say_start(bool quiet)
{
    silent = quiet || fstat(STDERR_FILENO, &error_stream) != 0;
}

/* Whether descriptor 2 is still the file that it was at the start. */
static bool is_unchanged(void)
{
    struct stat now;
    return fstat(STDERR_FILENO, &now) == 0 && now.st_dev == error_stream.st_dev &&
           now.st_ino == error_stream.st_ino;
}

/* Writes a line, whole and at once, or leaves it out: nothing depends on it. A pipe
 * that is ready has room for 4096 bytes (pipe(7)). One without a reader does not end
 * the program by SIGPIPE: the signal is for this thread, which takes it. */
static void line_write(const char *line, size_t length)
{
    const struct timespec now = {0};
    struct pollfd stream = {.fd = STDERR_FILENO, .events = POLLOUT};
    sigset_t lost_reader;
    sigset_t before;
    sigset_t pending;
    if (ppoll(&stream, 1, &now, NULL) != 1 || (stream.revents & POLLOUT) == 0) {
        return;
    }
    sigemptyset(&lost_reader);
    sigaddset(&lost_reader, SIGPIPE);
    sigemptyset(&pending);
    sigpending(&pending);
    pthread_sigmask(SIG_BLOCK, &lost_reader, &before);
    if (write(STDERR_FILENO, line, length) < 0 && errno == EPIPE &&
        sigismember(&pending, SIGPIPE) != 1) {
        sigtimedwait(&lost_reader, NULL, &now);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void probe_say(const char *format, ...)
{
    int saved = errno;
    probe_inside++;
    char line[1024] = "leakprobe: ";
    const int begin = (int)sizeof("leakprobe: ") - 1;
    va_list arguments;
    va_start(arguments, format);
    int length =
        vsnprintf(line + begin, sizeof(line) - (size_t)begin - 1, format, arguments);
    va_end(arguments);
    if (!silent && length > 0 && is_unchanged()) {
        int most = (int)sizeof(line) - begin - 2;
        length = begin + (length < most ? length : most);
        line[length++] = '\n';
        line_write(line, (size_t)length);
    }
    probe_inside--;
    errno = saved;
}
