/*
 * A news reader loads articles as strings and keeps the first fifty bytes of each as
 * its headline.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scenario.h"

#define HEADLINE_BYTES 50
#define HEADLINES_MAX 65536

struct headline {
    char *text;    /* NULL: this place is empty */
    char *storage; /* what to free with the headline; may be NULL */
    char room[HEADLINE_BYTES + 1];
};

/* The newest headlines. When the table is full, a new one replaces the oldest. */
static struct headline headlines[HEADLINES_MAX];
static size_t headlines_next;
static size_t headlines_held;
static pthread_mutex_t headlines_lock = PTHREAD_MUTEX_INITIALIZER;

/* Loads an article of `bytes` bytes, with its final zero, which the caller frees;
 * NULL when memory is short. */
static char *article_load(const char *id, size_t bytes)
{
    char *article = malloc(bytes);
    if (article == NULL) {
        return NULL;
    }
    memset(article, id[0], bytes - 1);
    article[bytes - 1] = '\0';
    /* The article begins with its title, without the zero that snprintf adds. */
    int title =
        snprintf(article, bytes, "Article %08x", scenario_digest(id, strlen(id)));
    article[title] = ' ';
    return article;
}

static void headline_release(struct headline *headline)
{
    if (headline->text != NULL) {
        free(headline->storage);
        headline->text = NULL;
        headline->storage = NULL;
        headlines_held--;
    }
}

/* Keeps the headline of `article`, takes ownership of it, and returns the place in the
 * table. The caller holds the lock. */
static const struct headline *headline_keep(char *article)
{
    struct headline *headline = &headlines[headlines_next];
    headlines_next = (headlines_next + 1) % HEADLINES_MAX;
    headline_release(headline);
    /* LEAK: the string is cut after fifty bytes, but its storage is not. */
    article[HEADLINE_BYTES] = '\0';
    headline->text = article;
    headline->storage = article;
    headlines_held++;
    return headline;
}

static int article_receive(const struct scenario_request *request,
                           struct scenario_answer *answer)
{
    char *article = article_load(request->id, request->bytes);
    if (article == NULL) {
        return -ENOMEM;
    }
    size_t length = strlen(article);
    pthread_mutex_lock(&headlines_lock);
    const struct headline *kept = headline_keep(article);
    scenario_answer_set(answer, "headline %08x of %zu characters",
                        scenario_digest(kept->text, strlen(kept->text)), length);
    pthread_mutex_unlock(&headlines_lock);
    return 0;
}

static size_t headlines_count(void)
{
    pthread_mutex_lock(&headlines_lock);
    size_t count = headlines_held;
    pthread_mutex_unlock(&headlines_lock);
    return count;
}

static void headlines_clear(void)
{
    for (size_t i = 0; i < HEADLINES_MAX; i++) {
        headline_release(&headlines[i]);
    }
}

const struct scenario string_prefix_scenario = {
    .name = "string-prefix",
    .family = "retained-slices",
    .title = "A short prefix keeps a long string",
    .kind = SCENARIO_PERMANENT,
    .story = "A news reader loads an article and keeps its first fifty bytes as the "
             "headline.",
    .symptom =
        "In-use heap climbs by a whole article with every request; every headline "
        "that is printed is fifty bytes long.",
    .cause =
        "The headline shares the storage of the article. strlen() says 50, but the "
        "block that malloc returned is as large as before.",
    .fix =
        "The fifty bytes are copied into the headline's own array, and the article is "
        "freed.",
    .find_it = "Compare two dumps (google-pprof or go tool pprof, with --text --base): "
               "article_load owns what grew. Then look for what frees an article.",
    .bytes_default = 1024 * 1024,
    .bytes_min = 1024,
    .bytes_max = 256 * 1024 * 1024,
    .bytes_meaning = "the article, with its final zero",
    .leaves = {.blocks = 1},
    .suspect = "article_load",
    .run = article_receive,
    .held = headlines_count,
    .stop = headlines_clear,
};
