/*
 * A workshop makes signs. It cuts each letter from a sheet; the sheets of a sign are
 * all on the table until the sign is put together. Used sheets go back to the shelf.
 */
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "scenario.h"

#define LETTERS_MAX 128
#define SHELF_MAX 128

struct sheet {
    struct sheet *next; /* on the shelf */
    size_t bytes;       /* of the struct and its surface */
    unsigned char surface[];
};

static struct sheet *shelf;
static size_t shelf_count;
static pthread_mutex_t shelf_lock = PTHREAD_MUTEX_INITIALIZER;

/* The first sheet on the shelf; NULL if it is empty. */
static struct sheet *shelf_take(void)
{
    pthread_mutex_lock(&shelf_lock);
    struct sheet *sheet = shelf;
    if (sheet != NULL) {
        shelf = sheet->next;
        shelf_count--;
    }
    pthread_mutex_unlock(&shelf_lock);
    return sheet;
}

/* Frees the sheet if the shelf is full. */
static void shelf_put(struct sheet *sheet)
{
    pthread_mutex_lock(&shelf_lock);
    bool full = shelf_count == SHELF_MAX;
    if (!full) {
        sheet->next = shelf;
        shelf = sheet;
        shelf_count++;
    }
    pthread_mutex_unlock(&shelf_lock);
    if (full) {
        free(sheet);
    }
}

/* A sheet of that size, from the shelf if there is one; NULL when memory is short. */
static struct sheet *sheet_get(size_t bytes)
{
    struct sheet *sheet = shelf_take();
    if (sheet != NULL && sheet->bytes == bytes) {
        return sheet;
    }
    free(sheet);
    sheet = malloc(bytes);
    if (sheet != NULL) {
        sheet->bytes = bytes;
    }
    return sheet;
}

static void letter_cut(struct sheet *sheet, char letter)
{
    memset(sheet->surface, letter, sheet->bytes - sizeof(*sheet));
}

/* Reads the sign from its letters: the digest of a corner of each. */
static uint32_t sign_read(struct sheet *const *sheets, size_t count)
{
    unsigned char corners[LETTERS_MAX];
    for (size_t i = 0; i < count; i++) {
        corners[i] = sheets[i]->surface[sheets[i]->bytes - sizeof(*sheets[i]) - 1];
    }
    return scenario_digest(corners, count);
}

/* Makes a sign with the text request->id. */
static int sign_make(const struct scenario_request *request,
                     struct scenario_answer *answer)
{
    struct sheet *sheets[LETTERS_MAX];
    size_t letters = strlen(request->id);
    size_t cut = 0;
    while (cut < letters && (sheets[cut] = sheet_get(request->bytes)) != NULL) {
        letter_cut(sheets[cut], request->id[cut]);
        cut++;
    }
    if (cut == letters) {
        scenario_answer_set(answer, "sign %08x, %zu bytes", sign_read(sheets, cut),
                            cut * request->bytes);
    }
    for (size_t i = 0; i < cut; i++) {
        shelf_put(sheets[i]);
    }
    return cut == letters ? 0 : -ENOMEM;
}

static void shelf_clear(void)
{
    for (struct sheet *sheet = shelf_take(); sheet != NULL; sheet = shelf_take()) {
        free(sheet);
    }
}

const struct scenario pool_peak_scenario = {
    .name = "pool-peak",
    .family = "decoys",
    .title = "A pool that keeps as much as was ever in use at once",
    .kind = SCENARIO_PERMANENT,
    .story = "A workshop cuts the letters of a sign from sheets, and puts the sheets "
             "back on a shelf, for the next sign.",
    .symptom = "In-use heap climbs when a sign is longer than all before it; between "
               "these steps it is flat, and the steps become rare.",
    .cause = "The shelf keeps the sheets of the longest sign that was made. A shorter "
             "one takes its sheets from there. No sign has more than 128 letters.",
    .fix = "Nothing is to be done: the peak is what the work needs.",
    .find_it =
        "Compare several heap profiles: sheet_get has more objects only in those "
        "that come after a longer sign.",
    .bytes_default = 64 * 1024,
    .bytes_min = 1024,
    .bytes_max = 1024 * 1024,
    .bytes_meaning = "the sheet of one letter",
    .leaves = {.blocks = LETTERS_MAX},
    .suspect = "sheet_get",
    .run = sign_make,
    .stop = shelf_clear,
};
