/*
 * What it costs that each descriptor has a note. Prints, for pairs of calls at the end
 * of a stack of 12 frames, the CPU time of a pair that the C library is asked for
 * directly, of one that goes through whatever stands in front of it, and the ratio:
 * "open 2105 2290 1.088". Both are measured in turn, so that a machine that is busy for
 * a while slows both down; the middle one of all turns counts.
 *
 *   usage: descriptor_cost THREADS      (by itself, and under leakprobe)
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define TURNS 41
#define PAIRS 1500
#define FRAMES 12 /* with main and the two below it */
#define THREADS_MAX 8

struct calls {
    int (*open)(const char *path, int flags, ...);
    int (*close)(int fd);
    FILE *(*fopen)(const char *path, const char *mode);
    int (*fclose)(FILE *stream);
    int (*socket)(int family, int type, int protocol);
    int (*dup)(int fd);
};

static const struct calls seen = {open, close, fopen, fclose, socket, dup};
static struct calls direct;

static void open_pair(const struct calls *calls)
{
    calls->close(calls->open("/etc/passwd", O_RDONLY));
}

static void fopen_pair(const struct calls *calls)
{
    calls->fclose(calls->fopen("/etc/passwd", "r"));
}

static void socket_pair(const struct calls *calls)
{
    calls->close(calls->socket(AF_UNIX, SOCK_STREAM, 0));
}

static void dup_pair(const struct calls *calls)
{
    calls->close(calls->dup(STDIN_FILENO));
}

static const struct {
    const char *name;
    void (*pair)(const struct calls *calls);
} measured[] = {{"open", open_pair},
                {"fopen", fopen_pair},
                {"socket", socket_pair},
                {"dup", dup_pair}};

static double cpu_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static __attribute__((noinline)) void pairs(void (*pair)(const struct calls *calls),
                                            const struct calls *calls, unsigned frames)
{
    if (frames > 0) {
        pairs(pair, calls, frames - 1);
        __asm__ volatile(""); /* no tail call */
        return;
    }
    for (unsigned i = 0; i < PAIRS; i++) {
        pair(calls);
        __asm__ volatile("");
    }
}

struct work {
    void (*pair)(const struct calls *calls);
    const struct calls *calls;
};

static void *work_do(void *argument)
{
    const struct work *work = argument;
    pairs(work->pair, work->calls, FRAMES - 4);
    return NULL;
}

/* The CPU time of a pair, in so many threads at once. */
static double turn(const struct work *work, unsigned threads)
{
    pthread_t others[THREADS_MAX];
    double begin = cpu_ns();
    for (unsigned i = 1; i < threads; i++) {
        if (pthread_create(&others[i], NULL, work_do, (void *)work) != 0) {
            abort();
        }
    }
    work_do((void *)work);
    for (unsigned i = 1; i < threads; i++) {
        pthread_join(others[i], NULL);
    }
    return (cpu_ns() - begin) / PAIRS / threads;
}

static int by_size(const void *one, const void *other)
{
    double first = *(const double *)one;
    double second = *(const double *)other;
    return first < second ? -1 : first > second;
}

static double middle(double *values)
{
    qsort(values, TURNS, sizeof(*values), by_size);
    return values[TURNS / 2];
}

int main(int count, char **arguments)
{
    unsigned threads = count == 2 ? (unsigned)atoi(arguments[1]) : 0;
    void *library = dlopen("libc.so.6", RTLD_NOW);
    if (threads < 1 || threads > THREADS_MAX || library == NULL) {
        fprintf(stderr, "usage: descriptor_cost THREADS (1 to %d)\n", THREADS_MAX);
        return 2;
    }
    *(void **)&direct.open = dlsym(library, "open");
    *(void **)&direct.close = dlsym(library, "close");
    *(void **)&direct.fopen = dlsym(library, "fopen");
    *(void **)&direct.fclose = dlsym(library, "fclose");
    *(void **)&direct.socket = dlsym(library, "socket");
    *(void **)&direct.dup = dlsym(library, "dup");
    for (size_t i = 0; i < sizeof(measured) / sizeof(measured[0]); i++) {
        double bare[TURNS];
        double noted[TURNS];
        double ratio[TURNS];
        for (int at = 0; at < TURNS; at++) {
            bare[at] = turn(&(struct work){measured[i].pair, &direct}, threads);
            noted[at] = turn(&(struct work){measured[i].pair, &seen}, threads);
            ratio[at] = noted[at] / bare[at];
        }
        printf("%s %.0f %.0f %.3f\n", measured[i].name, middle(bare), middle(noted),
               middle(ratio));
    }
    return 0;
}
