/*
 * A separate thread waits for the signals, so it also sees the second one while main
 * hangs in stopping the server.
 */
#include "stop.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <time.h>
#include <unistd.h>

#include "directory.h"

#define STOP_LIMIT_SECONDS 3

static sigset_t stop_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    return set;
}

void stop_signals_block(void)
{
    sigset_t set = stop_signals();
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* above `ulimit -f`, only the write fails */
}

/* Ends the process at a second signal, or if stopping takes too long. The kernel then
 * ends the upstream; this thread must remove the directory. */
static void *stop_main(void *argument)
{
    struct stop *stop = argument;
    pthread_setname_np(pthread_self(), "signals");
    sigset_t set = stop_signals();
    const struct timespec limit = {.tv_sec = STOP_LIMIT_SECONDS};
    while (sigwaitinfo(&set, NULL) < 0) {
    }
    sem_post(&stop->asked);
    while (sigtimedwait(&set, NULL, &limit) < 0 && errno == EINTR) {
    }
    if (!atomic_load(&stop->over)) {
        directory_remove(stop->directory);
        _exit(0);
    }
    return NULL;
}

int stop_start(struct stop *stop, const char *directory)
{
    stop->directory = directory;
    stop->over = false;
    sem_init(&stop->asked, 0, 0);
    return -pthread_create(&stop->thread, NULL, stop_main, stop);
}

void stop_await(struct stop *stop)
{
    while (sem_wait(&stop->asked) != 0) {
    }
}

void stop_finish(struct stop *stop)
{
    atomic_store(&stop->over, true);
    pthread_kill(stop->thread, SIGTERM);
    pthread_join(stop->thread, NULL);
    sem_destroy(&stop->asked);
}
