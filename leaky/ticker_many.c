/*
 * A control room asks for a picture of its hundred gauges. Each gauge is read once a
 * second by a ticker of its own, from the start of the request to its end.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/ticker.h"
#include "scenario.h"

#define GAUGES 100
#define READ_PERIOD_MS 1000

/* One gauge, in the memory that its ticker works on. */
struct gauge {
    struct ticker ticker;
    uint32_t level; /* what the gauge shows; it stays the same */
    size_t readings;
    size_t readings_max;
    unsigned char history[];
};

struct picture {
    unsigned gauges; /* how many of them are read by a ticker */
    uint32_t levels; /* a checksum of all levels */
};

/* How many gauges are being read now. */
static atomic_size_t gauges_running;

/* Called by the ticker. Overwrites the history when it is full. */
static void gauge_read(void *argument)
{
    struct gauge *gauge = argument;
    gauge->history[gauge->readings] = (unsigned char)gauge->level;
    gauge->readings = (gauge->readings + 1) % gauge->readings_max;
}

/* Starts to read a gauge, whose history is kept in `bytes` bytes of memory. */
static int gauge_start(uint32_t level, size_t bytes, struct gauge **ret_gauge)
{
    struct gauge *gauge = malloc(bytes);
    if (gauge == NULL) {
        return -ENOMEM;
    }
    memset(gauge, 0, bytes);
    gauge->level = level;
    gauge->readings_max = bytes - sizeof(*gauge);
    int error = ticker_start(&gauge->ticker, READ_PERIOD_MS, gauge_read, gauge);
    if (error != 0) {
        free(gauge);
        return error;
    }
    atomic_fetch_add(&gauges_running, 1);
    *ret_gauge = gauge;
    return 0;
}

static void gauge_stop(struct gauge *gauge)
{
    ticker_stop(&gauge->ticker);
    free(gauge);
    atomic_fetch_sub(&gauges_running, 1);
}

/* Whether the gauge's ticker reads it, and as often as it should. */
static bool gauge_is_read(const struct gauge *gauge)
{
    return ticker_period_ms(&gauge->ticker) == READ_PERIOD_MS;
}

static struct picture picture_draw(struct gauge *const *gauges)
{
    struct picture picture = {0};
    for (int i = 0; i < GAUGES; i++) {
        picture.gauges += gauge_is_read(gauges[i]);
        picture.levels = picture.levels * 31 + gauges[i]->level;
    }
    return picture;
}

/* Draws all gauges of the room `id` into *ret_picture. */
static int gauges_watch(const char *id, size_t bytes, struct picture *ret_picture)
{
    struct gauge *gauges[GAUGES];
    uint32_t level = scenario_digest(id, strlen(id));
    unsigned started = 0;
    int error = 0;
    while (started < GAUGES && error == 0) {
        error = gauge_start(level + started, bytes, &gauges[started]);
        if (error == 0) {
            started++;
        }
    }
    if (error == 0) {
        *ret_picture = picture_draw(gauges);
        /* LEAK: on success, this return skips the loop that stops the gauges. */
        return 0;
    }
    while (started > 0) {
        started--;
        gauge_stop(gauges[started]);
    }
    return error;
}

static int picture_tell(const struct scenario_request *request,
                        struct scenario_answer *answer)
{
    struct picture picture;
    int error = gauges_watch(request->id, request->bytes, &picture);
    if (error == 0) {
        scenario_answer_set(answer, "%u gauges show %08x, %zu bytes each",
                            picture.gauges, picture.levels, request->bytes);
    }
    return error;
}

static size_t gauges_count(void)
{
    return atomic_load(&gauges_running);
}

const struct scenario ticker_many_scenario = {
    .name = "ticker-many",
    .family = "undestroyed-timers",
    .title = "A hundred tickers, none stopped",
    .kind = SCENARIO_PERMANENT,
    .story = "A request starts a hundred tickers in a loop, one for each gauge, and "
             "draws a picture of what they read.",
    .symptom = "Timers climb by a hundred with every request, in-use heap by a hundred "
               "small blocks. At the limit of timers every request fails.",
    .cause =
        "The array of pointers to the tickers is a local variable. It is gone when "
        "the function returns; the tickers are not. Only a start that fails stops "
        "them.",
    .fix = "On success, continue to the loop that stops every gauge that was started.",
    .find_it = "/proc/PID/timers has one ID line for each timer that exists, /status "
               "counts them, and in two heap profiles gauge_start owns what grew.",
    .bytes_default = 4 * 1024,
    .bytes_min = 256,
    .bytes_max = 2 * 1024 * 1024,
    .bytes_meaning = "what each ticker works on",
    .leaves = {.blocks = GAUGES, .timers = GAUGES},
    .suspect = "gauge_start",
    .run = picture_tell,
    .held = gauges_count,
};
