/*
 * A separate thread writes the line, because the judge's threads wait for servers.
 */
#include "leakcheck/report/progress.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

#define PERIOD_MS 200

#define LINE_WIDTH 62

/* The terminal with the line, for a signal's handler; -1: there is no line. */
static atomic_int shown_on = -1;

/* Clears the line, and ends leakcheck as the signal would have. */
static void ended_by_signal(int number)
{
    char blanks[LINE_WIDTH + 2];
    int terminal = atomic_exchange(&shown_on, -1);
    memset(blanks, ' ', sizeof(blanks));
    blanks[0] = '\r';
    blanks[sizeof(blanks) - 1] = '\r';
    if (terminal >= 0 && write(terminal, blanks, sizeof(blanks)) < 0) {
        /* Then there is nothing to clear either. */
    }
    raise(number); /* SA_RESETHAND: this ends it */
}

static void signals_watch(void)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    const struct sigaction action = {.sa_handler = ended_by_signal,
                                     .sa_flags = SA_RESETHAND | SA_NODEFER};
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        struct sigaction before;
        if (sigaction(numbers[i], NULL, &before) == 0 && before.sa_handler == SIG_DFL) {
            sigaction(numbers[i], &action, NULL);
        }
    }
}

/* "judged: leaky 9 of 29, fixed 12 of 29; 7 s" */
static void pairs_write(char *text, size_t size, struct progress *progress, int seconds)
{
    unsigned planned = atomic_load(&progress->judge.planned);
    unsigned leaky = atomic_load(&progress->judge.done[ROLE_LEAKY]);
    unsigned fixed = atomic_load(&progress->judge.done[ROLE_FIXED]);
    if (leaky + fixed == 0) {
        snprintf(text, size, "warming up; %d s", seconds);
    } else {
        snprintf(text, size, "judged: leaky %u of %u, fixed %u of %u; %d s", leaky,
                 planned, fixed, planned, seconds);
    }
}

/* "round 3 of 5; 4 s" */
static void rounds_write(char *text, size_t size, struct progress *progress,
                         int seconds)
{
    unsigned planned = atomic_load(&progress->gate.planned);
    unsigned done = atomic_load(&progress->gate.done);
    if (planned == 0) {
        snprintf(text, size, "warming up; %d s", seconds);
    } else {
        snprintf(text, size, "round %u of %u; %d s", done < planned ? done + 1 : done,
                 planned, seconds);
    }
}

static void line_print(struct progress *progress, int64_t start_ms)
{
    int seconds = (int)((clock_now_ms() - start_ms) / 1000);
    char text[80];
    if (progress->one_server) {
        rounds_write(text, sizeof(text), progress, seconds);
    } else {
        pairs_write(text, sizeof(text), progress, seconds);
    }
    if (atomic_load(&shown_on) >= 0) {
        fprintf(progress->stream, "\r  %-*s", LINE_WIDTH - 2, text);
        fflush(progress->stream);
    }
}

static void *progress_main(void *argument)
{
    struct progress *progress = argument;
    int64_t start_ms = clock_now_ms();
    pthread_mutex_lock(&progress->lock);
    while (!progress->ended) {
        struct timespec until;
        line_print(progress, start_ms);
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += PERIOD_MS * 1000000L;
        until.tv_sec += until.tv_nsec / 1000000000L;
        until.tv_nsec %= 1000000000L;
        pthread_cond_timedwait(&progress->ends, &progress->lock, &until);
    }
    pthread_mutex_unlock(&progress->lock);
    if (atomic_exchange(&shown_on, -1) >= 0) {
        fprintf(progress->stream, "\r%*s\r", LINE_WIDTH, "");
        fflush(progress->stream);
    }
    return NULL;
}

void progress_start(struct progress *progress, FILE *stream, bool one_server)
{
    const char *term = getenv("TERM");
    bool dumb = term != NULL && strcmp(term, "dumb") == 0;
    memset(progress, 0, sizeof(*progress));
    pthread_mutex_init(&progress->lock, NULL);
    pthread_cond_init(&progress->ends, NULL);
    progress->one_server = one_server;
    progress->stream = isatty(fileno(stream)) == 1 && !dumb ? stream : NULL;
    if (progress->stream != NULL) {
        atomic_store(&shown_on, fileno(stream));
        signals_watch();
    }
    if (progress->stream != NULL &&
        pthread_create(&progress->thread, NULL, progress_main, progress) != 0) {
        progress->stream = NULL;
    }
}

void progress_stop(struct progress *progress)
{
    if (progress->stream != NULL) {
        pthread_mutex_lock(&progress->lock);
        progress->ended = true;
        pthread_cond_signal(&progress->ends);
        pthread_mutex_unlock(&progress->lock);
        pthread_join(progress->thread, NULL);
    }
    pthread_cond_destroy(&progress->ends);
    pthread_mutex_destroy(&progress->lock);
}
