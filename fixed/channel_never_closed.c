/*
 * A table is exported. The request produces ten rows and sends them to a worker. The
 * worker writes each row to the file's buffer, until there are no more rows.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/channel.h"
#include "scenario.h"

#define EXPORT_ROWS 10
#define EXPORT_HEAD_BYTES 256 /* of a file's bytes; the rest are its data */

struct export_file {
    struct channel rows;   /* of one byte each; closed after the last */
    struct channel stored; /* a signal: the row is in the buffer */
    size_t capacity;
    size_t written;
    char data[];
};

_Static_assert(sizeof(struct export_file) <= EXPORT_HEAD_BYTES, "the head has room");

static atomic_size_t exports_open;

/* NULL when memory is short. */
static struct export_file *export_open(const struct scenario_request *request)
{
    struct export_file *file = malloc(request->bytes);
    if (file == NULL) {
        return NULL;
    }
    channel_init(&file->rows, NULL, sizeof(char), 0);
    channel_init(&file->stored, NULL, 0, 0);
    file->capacity = request->bytes - EXPORT_HEAD_BYTES;
    memset(file->data, ' ', file->capacity);
    snprintf(file->data, file->capacity, "%s\n", request->id);
    file->written = strlen(file->data);
    atomic_fetch_add(&exports_open, 1);
    return file;
}

static void export_close(struct export_file *file)
{
    channel_finish(&file->stored);
    channel_finish(&file->rows);
    free(file);
    atomic_fetch_sub(&exports_open, 1);
}

/* Writes rows until the channel is closed, like `for row := range rows` in Go. */
static void export_write(struct export_file *file)
{
    char row = '\0';
    while (channel_receive(&file->rows, &row, NULL) == 0) {
        file->data[file->written % file->capacity] = row;
        file->written++;
        channel_send(&file->stored, NULL, NULL);
    }
}

static void *export_main(void *argument)
{
    pthread_setname_np(pthread_self(), "export");
    export_write(argument);
    return NULL;
}

static int export_table(const struct scenario_request *request,
                        struct scenario_answer *answer)
{
    struct export_file *file = export_open(request);
    if (file == NULL) {
        return -ENOMEM;
    }
    pthread_t worker;
    int error = -pthread_create(&worker, NULL, export_main, file);
    if (error != 0) {
        export_close(file);
        return error;
    }
    for (char row = 0; row < EXPORT_ROWS; row++) {
        channel_send(&file->rows, &row, NULL);
        channel_receive(&file->stored, NULL, NULL);
    }
    scenario_answer_set(answer, "%zu bytes, file %08x", request->bytes,
                        scenario_digest(file->data, file->capacity));
    /* FIX: closing the channel says that this was the last row. */
    channel_close(&file->rows);
    pthread_join(worker, NULL);
    export_close(file);
    return 0;
}

static size_t export_count(void)
{
    return atomic_load(&exports_open);
}

const struct scenario channel_never_closed_scenario = {
    .name = "channel-never-closed",
    .family = "stuck-threads",
    .title = "A channel that its producer forgets to close",
    .kind = SCENARIO_PERMANENT,
    .story = "A request sends the ten rows of a table to a worker, which writes rows "
             "until the channel is closed.",
    .symptom = "Every export is complete, and yet it leaves its thread and its buffer "
               "behind.",
    .cause = "The producer stops sending and does not close the channel. The worker "
             "can't know that no eleventh row will come, and waits for it.",
    .fix = "The sender closes the channel after the last value. The worker's loop then "
           "ends, the thread is joined and the buffer freed.",
    .find_it = "/debug/pprof/goroutine?debug=1 shows many threads in channel_receive, "
               "called from export_write. The heap profile shows export_open.",
    .bytes_default = 64 * 1024,
    .bytes_min = 1024,
    .bytes_max = 256 * 1024 * 1024,
    .bytes_meaning = "the file's buffer",
    .leaves = {.blocks = 1, .threads = 1},
    .suspect = "export_open",
    .run = export_table,
    .held = export_count,
};
