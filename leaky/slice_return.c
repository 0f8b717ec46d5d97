/*
 * A weather archive reads the series of a whole day and keeps the first points of each
 * as a preview for its index page.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/slice.h"
#include "scenario.h"

#define PREVIEW_BYTES 64
#define PREVIEWS_MAX 65536

struct preview {
    struct slice points;
    unsigned char room[PREVIEW_BYTES];
};

/* The newest previews. When the table is full, a new one replaces the oldest. */
static struct preview previews[PREVIEWS_MAX];
static size_t previews_next;
static size_t previews_held;
static pthread_mutex_t previews_lock = PTHREAD_MUTEX_INITIALIZER;

/* Reads a day's points, `bytes` bytes; an empty slice when memory is short. */
static struct slice series_read(const char *id, size_t bytes)
{
    struct slice_array *array = malloc(slice_array_bytes(bytes));
    if (array == NULL) {
        return (struct slice){0};
    }
    struct slice series = slice_of(array, bytes);
    memset(series.data, id[0], series.length);
    /* The first point is the number of the day. */
    uint32_t day = scenario_digest(id, strlen(id));
    memcpy(series.data, &day, sizeof(day));
    return series;
}

/* The first points of `series`, which the caller releases. */
static struct slice series_first(struct slice series)
{
    /* LEAK: the result looks small, but it is a view and keeps the whole array. */
    return slice_sub(series, 0, PREVIEW_BYTES);
}

static void preview_release(struct preview *preview)
{
    if (preview->points.length > 0) {
        slice_release(&preview->points);
        previews_held--;
    }
}

/* Keeps a preview of `series`, and returns its place in the table. The caller holds the
 * lock. */
static const struct preview *preview_keep(struct slice series)
{
    struct preview *preview = &previews[previews_next];
    previews_next = (previews_next + 1) % PREVIEWS_MAX;
    preview_release(preview);
    preview->points = series_first(series);
    previews_held++;
    return preview;
}

static int series_receive(const struct scenario_request *request,
                          struct scenario_answer *answer)
{
    struct slice series = series_read(request->id, request->bytes);
    if (series.length == 0) {
        return -ENOMEM;
    }
    size_t measured = series.length;
    pthread_mutex_lock(&previews_lock);
    const struct preview *kept = preview_keep(series);
    slice_release(&series);
    scenario_answer_set(answer, "preview %08x of %zu bytes",
                        scenario_digest(kept->points.data, kept->points.length),
                        measured);
    pthread_mutex_unlock(&previews_lock);
    return 0;
}

static size_t previews_count(void)
{
    pthread_mutex_lock(&previews_lock);
    size_t count = previews_held;
    pthread_mutex_unlock(&previews_lock);
    return count;
}

static void previews_clear(void)
{
    for (size_t i = 0; i < PREVIEWS_MAX; i++) {
        preview_release(&previews[i]);
    }
}

const struct scenario slice_return_scenario = {
    .name = "slice-return",
    .family = "retained-slices",
    .title = "A helper returns a view of a large array",
    .kind = SCENARIO_PERMANENT,
    .story =
        "An archive reads a day's measurements and keeps the first few points as a "
        "preview.",
    .symptom =
        "In-use heap climbs by the whole series with every request, although each "
        "preview is 64 bytes.",
    .cause = "The helper returns a view of the array that it was given. Nothing in the "
             "call shows that storing the result keeps the whole array.",
    .fix =
        "The helper copies the points into memory that its caller provides; the series "
        "is freed when the request ends.",
    .find_it =
        "Compare two dumps (google-pprof or go tool pprof, with --text --base): "
        "series_read owns what grew. Follow what it returns through series_first "
        "into the table.",
    .bytes_default = 80 * 1024,
    .bytes_min = 1024,
    .bytes_max = 256 * 1024 * 1024,
    .bytes_meaning = "the series of one day",
    .leaves = {.blocks = 1},
    .suspect = "series_read",
    .run = series_receive,
    .held = previews_count,
    .stop = previews_clear,
};
