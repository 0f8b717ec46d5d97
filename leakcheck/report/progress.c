/*
 * A separate thread writes the line, because the judge's threads wait for servers.
 */
#include "leakcheck/report/progress.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

#define PERIOD_MS 200

/* "  judged: leaky 9 of 29, fixed 12 of 29; 7 s" */
static void line_print(struct progress *progress, int64_t start_ms)
{
    unsigned planned = atomic_load(&progress->judge.planned);
    unsigned leaky = atomic_load(&progress->judge.done[ROLE_LEAKY]);
    unsigned fixed = atomic_load(&progress->judge.done[ROLE_FIXED]);
    int seconds = (int)((clock_now_ms() - start_ms) / 1000);
    char text[80];
    if (leaky + fixed == 0) {
        snprintf(text, sizeof(text), "warming up; %d s", seconds);
    } else {
        snprintf(text, sizeof(text), "judged: leaky %u of %u, fixed %u of %u; %d s",
                 leaky, planned, fixed, planned, seconds);
    }
    fprintf(progress->stream, "\r  %-60s", text);
    fflush(progress->stream);
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
    fprintf(progress->stream, "\r%62s\r", "");
    fflush(progress->stream);
    return NULL;
}

void progress_start(struct progress *progress, FILE *stream)
{
    const char *term = getenv("TERM");
    bool dumb = term != NULL && strcmp(term, "dumb") == 0;
    memset(progress, 0, sizeof(*progress));
    pthread_mutex_init(&progress->lock, NULL);
    pthread_cond_init(&progress->ends, NULL);
    progress->stream = isatty(fileno(stream)) == 1 && !dumb ? stream : NULL;
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
