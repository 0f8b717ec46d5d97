#include "probe/preload/say.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

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

void probe_say(const char *format, ...)
{
    int saved = errno;
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
        /* A line that cannot be written is left out: nothing depends on it. */
        (void)!write(STDERR_FILENO, line, (size_t)length);
    }
    errno = saved;
}
