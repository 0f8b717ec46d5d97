/*
 * A post room sorts letters with a filter. The filter has to learn first: the first
 * letters are kept until there are enough of them to learn from.
 */
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "scenario.h"

#define LETTERS_TO_LEARN 100
#define LETTERS_OF_THE_ALPHABET 256

struct letter {
    struct letter *next; /* of those that are kept */
    size_t length;
    unsigned char text[];
};

static struct letter *letters;
static size_t letters_seen;
/* How often the filter has met each character. */
static size_t filter[LETTERS_OF_THE_ALPHABET];
static pthread_mutex_t filter_lock = PTHREAD_MUTEX_INITIALIZER;

/* Opens a letter of `bytes` bytes; NULL when memory is short. */
static struct letter *letter_open(const char *sender, size_t bytes)
{
    struct letter *letter = malloc(bytes);
    if (letter == NULL) {
        return NULL;
    }
    letter->next = NULL;
    letter->length = bytes - sizeof(*letter);
    size_t length = strlen(sender);
    for (size_t i = 0; i < letter->length; i++) {
        letter->text[i] = (unsigned char)sender[i % length];
    }
    return letter;
}

/* Learns from a letter, which the filter does not need any more. */
static void filter_learn(struct letter *letter)
{
    for (size_t i = 0; i < letter->length; i++) {
        filter[letter->text[i]]++;
    }
    free(letter);
}

/* Gives the filter a letter, which it then owns. */
static void filter_take(struct letter *letter)
{
    pthread_mutex_lock(&filter_lock);
    letter->next = letters;
    letters = letter;
    letters_seen++;
    while (letters != NULL && letters_seen >= LETTERS_TO_LEARN) {
        struct letter *learnt = letters;
        letters = learnt->next;
        filter_learn(learnt);
    }
    pthread_mutex_unlock(&filter_lock);
}

static int letter_sort(const struct scenario_request *request,
                       struct scenario_answer *answer)
{
    struct letter *letter = letter_open(request->id, request->bytes);
    if (letter == NULL) {
        return -ENOMEM;
    }
    scenario_answer_set(answer, "tray %08x, %zu characters",
                        scenario_digest(letter->text, letter->length), letter->length);
    filter_take(letter);
    return 0;
}

static void letters_clear(void)
{
    while (letters != NULL) {
        struct letter *next = letters->next;
        free(letters);
        letters = next;
    }
}

const struct scenario burst_ends_scenario = {
    .name = "burst-ends",
    .family = "decoys",
    .title = "A burst at the beginning, which ends",
    .kind = SCENARIO_PERMANENT,
    .story = "A post room keeps the first hundred letters, because its filter learns "
             "from them, and lets them go.",
    .symptom = "In-use heap climbs by a letter with every request. With the hundredth "
               "it falls at once, and then it is flat.",
    .cause = "The filter has seen enough after a hundred letters and frees them all. "
             "From then on it keeps none.",
    .fix = "Nothing is to be done: the letters are kept as long as they are needed.",
    .find_it = "Take a heap profile later: letter_open is not in it any more.",
    .bytes_default = 64 * 1024,
    .bytes_min = 1024,
    .bytes_max = 1024 * 1024,
    .bytes_meaning = "one letter",
    .leaves = {.blocks = 1},
    .suspect = "letter_open",
    .run = letter_sort,
    .stop = letters_clear,
};
