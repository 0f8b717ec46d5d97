/*
 * A request imports rows into a table. Once a second a ticker notes how far the import
 * is, to draw a chart of its progress.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/ticker.h"
#include "scenario.h"

#define NOTE_PERIOD_MS 1000
#define ROWS_TOTAL 1000

/* What the ticker needs: it lives as long as the ticker runs. */
struct progress {
    struct ticker ticker;
    atomic_uint rows; /* counted by the import, read by the ticker */
    size_t notes;
    size_t notes_max;
    unsigned char chart[]; /* one note a second: percent done */
};

/* How many tickers note progress now. */
static atomic_size_t progress_running;

/* Called by the ticker. Overwrites the chart when it is full. */
static void progress_note(void *argument)
{
    struct progress *progress = argument;
    unsigned percent = atomic_load(&progress->rows) * 100 / ROWS_TOTAL;
    progress->chart[progress->notes] = (unsigned char)percent;
    progress->notes = (progress->notes + 1) % progress->notes_max;
}

/* Starts to note progress, in `bytes` bytes of memory. */
static int progress_start(size_t bytes, struct progress **ret_progress)
{
    struct progress *progress = malloc(bytes);
    if (progress == NULL) {
        return -ENOMEM;
    }
    memset(progress, 0, bytes);
    progress->notes_max = bytes - sizeof(*progress);
    int error =
        ticker_start(&progress->ticker, NOTE_PERIOD_MS, progress_note, progress);
    if (error != 0) {
        free(progress);
        return error;
    }
    atomic_fetch_add(&progress_running, 1);
    *ret_progress = progress;
    return 0;
}

/* Imports the rows of `id`. Returns a checksum of the table. */
static uint32_t import_rows(const char *id, struct progress *progress)
{
    uint32_t table = scenario_digest(id, strlen(id));
    for (unsigned i = 0; i < ROWS_TOTAL; i++) {
        table = table * 31 + i;
        atomic_fetch_add(&progress->rows, 1);
    }
    return table;
}

static int import_run(const struct scenario_request *request,
                      struct scenario_answer *answer)
{
    struct progress *progress;
    int error = progress_start(request->bytes, &progress);
    if (error != 0) {
        return error;
    }
    uint32_t table = import_rows(request->id, progress);
    scenario_answer_set(answer, "%u rows %08x, noted each %u ms, %zu bytes",
                        atomic_load(&progress->rows), table,
                        ticker_period_ms(&progress->ticker),
                        sizeof(*progress) + progress->notes_max);
    /* LEAK: the import is done, but its ticker still runs and uses its memory. */
    return 0;
}

static size_t progress_count(void)
{
    return atomic_load(&progress_running);
}

const struct scenario ticker_unstopped_scenario = {
    .name = "ticker-unstopped",
    .family = "undestroyed-timers",
    .title = "A ticker outlives its request",
    .kind = SCENARIO_PERMANENT,
    .story = "A request imports rows, and a ticker notes its progress once a second.",
    .symptom =
        "Every request leaves a timer that fires for ever and the memory that it "
        "writes to. The idle process uses more and more CPU time.",
    .cause = "Only ticker_stop stops a ticker. The request ends without calling it, "
             "and loses the only pointer to the ticker.",
    .fix = "Stop the ticker when the request ends; after that nobody uses its memory, "
           "and it can be freed.",
    .find_it = "/proc/PID/timers has one ID line for each timer that exists, /status "
               "counts them, and in two heap profiles progress_start owns what grew.",
    .bytes_default = 4 * 1024,
    .bytes_min = 1024,
    .bytes_max = 256 * 1024 * 1024,
    .bytes_meaning = "what a ticker works on",
    .leaves = {.blocks = 1, .timers = 1},
    .suspect = "progress_start",
    .run = import_run,
    .held = progress_count,
};
