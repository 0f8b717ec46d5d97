/*
 * A shop keeps its prices in a text file: one item per line. Every request opens the
 * file and reads line by line until it finds its item.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scenario.h"

#define LINE_BYTES 80
#define ITEM_BYTES 16
#define PATH_BYTES 4096
#define PRICES_IN_FILE 1000

/* How many price lists are open now. */
static atomic_size_t prices_open;

/* The file is written by the first request that needs it. */
static bool prices_written;
static pthread_mutex_t prices_lock = PTHREAD_MUTEX_INITIALIZER;

/* Writes the whole list. */
static int prices_fill(const char *path)
{
    FILE *file = fopen(path, "we");
    if (file == NULL) {
        return -errno;
    }
    for (int i = 0; i < PRICES_IN_FILE; i++) {
        fprintf(file, "item-%d %d\n", i, 100 + i);
    }
    bool failed = ferror(file) != 0;
    if (fclose(file) != 0 || failed) {
        return -EIO;
    }
    return 0;
}

/* Writes the list if there is none yet. Other requests wait meanwhile. */
static int prices_prepare(const char *path)
{
    int error = 0;
    pthread_mutex_lock(&prices_lock);
    if (!prices_written) {
        error = prices_fill(path);
        prices_written = error == 0;
    }
    pthread_mutex_unlock(&prices_lock);
    return error;
}

/* The price in a line such as "item-7 107"; -1 if the line is about another item. */
static long price_of(const char *line, const char *item)
{
    size_t length = strlen(item);
    if (strncmp(line, item, length) != 0 || line[length] != ' ') {
        return -1;
    }
    return strtol(line + length, NULL, 10);
}

/* Looks up `item`, reading the file through a buffer of `bytes` bytes. Returns 0,
 * -ENOENT if it is not in the list, or -errno. */
static int price_look_up(const char *path, const char *item, size_t bytes,
                         long *ret_price)
{
    char *buffer = malloc(bytes);
    if (buffer == NULL) {
        return -ENOMEM;
    }
    memset(buffer, 0, bytes);
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        int error = errno;
        free(buffer);
        return -error;
    }
    setvbuf(file, buffer, _IOFBF, bytes);
    atomic_fetch_add(&prices_open, 1);

    int error = -ENOENT;
    char line[LINE_BYTES];
    while (error == -ENOENT && fgets(line, sizeof(line), file) != NULL) {
        long price = price_of(line, item);
        if (price >= 0) {
            *ret_price = price;
            /* FIX: the loop ends, and every path reaches the fclose and the free. */
            error = 0;
        }
    }
    fclose(file);
    free(buffer);
    atomic_fetch_sub(&prices_open, 1);
    return error;
}

static int price_tell(const struct scenario_request *request,
                      struct scenario_answer *answer)
{
    char path[PATH_BYTES];
    int length = snprintf(path, sizeof(path), "%s/prices.txt", request->directory);
    if (length < 0 || (size_t)length >= sizeof(path)) {
        return -ENAMETOOLONG;
    }
    int error = prices_prepare(path);
    if (error != 0) {
        return error;
    }
    uint32_t order = scenario_digest(request->id, strlen(request->id));
    char item[ITEM_BYTES];
    snprintf(item, sizeof(item), "item-%u", order % PRICES_IN_FILE);
    long price;
    error = price_look_up(path, item, request->bytes, &price);
    if (error == 0) {
        scenario_answer_set(answer, "order %08x: %s at %ld, %zu bytes", order, item,
                            price, request->bytes);
    }
    return error;
}

static size_t prices_count(void)
{
    return atomic_load(&prices_open);
}

const struct scenario file_unclosed_scenario = {
    .name = "file-unclosed",
    .family = "unclosed-bodies",
    .title = "An early return skips fclose",
    .kind = SCENARIO_PERMANENT,
    .story = "A shop opens its price list for every request and reads until it finds "
             "the item.",
    .symptom = "Every request leaves one descriptor and one read buffer behind. At the "
               "limit of descriptors every open fails with \"Too many open files\".",
    .cause = "The return in the middle of the loop skips fclose and free at the end. "
             "Only a look-up that fails closes the file.",
    .fix = "Leave the loop instead of the function, so that every path ends with the "
           "same fclose and free.",
    .find_it = "ls -l /proc/PID/fd shows prices.txt again and again, /status counts "
               "descriptors, and in two heap profiles price_look_up owns what grew.",
    .bytes_default = 64 * 1024,
    .bytes_min = 8 * 1024,
    .bytes_max = 256 * 1024 * 1024,
    .bytes_meaning = "the read buffer of the file",
    .leaves = {.blocks = 1, .library_bytes = 1024, .fds = 1},
    .suspect = "price_look_up",
    .run = price_tell,
    .held = prices_count,
};
