/*
 * A shop reads a hundred products with their pictures, and keeps a catalogue of them: a
 * list of boxes, which can hold values of any type.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/box.h"
#include "scenario.h"

#define PRODUCTS 100
#define CATALOGUES_MAX 2048

struct label {
    unsigned number;
    char name[20];
};

struct product {
    struct label label;
    unsigned char picture[];
};

struct catalogue {
    struct box boxes[PRODUCTS];
    struct label labels[PRODUCTS];
};

/* The newest catalogues. When the table is full, a new one replaces the oldest. */
static struct catalogue catalogues[CATALOGUES_MAX];
static size_t catalogues_next;
static size_t boxes_held;
static pthread_mutex_t catalogues_lock = PTHREAD_MUTEX_INITIALIZER;

/* Reads a product of `bytes` bytes in all, which the caller frees; NULL when memory is
 * short. */
static struct product *product_read(const char *id, unsigned number, size_t bytes)
{
    struct product *product = malloc(bytes);
    if (product == NULL) {
        return NULL;
    }
    memset(product, id[0], bytes);
    product->label.number = number;
    snprintf(product->label.name, sizeof(product->label.name), "%08x %zu",
             scenario_digest(id, strlen(id)), bytes);
    return product;
}

static void catalogue_release(struct catalogue *catalogue)
{
    for (size_t i = 0; i < PRODUCTS; i++) {
        if (catalogue->boxes[i].type != NULL) {
            box_release(&catalogue->boxes[i]);
            boxes_held--;
        }
    }
}

/* Puts product number `i` into a box, and takes ownership of the product. */
static void catalogue_add(struct catalogue *catalogue, size_t i,
                          struct product *product)
{
    /* FIX: each box keeps a number and a name; the product can be freed. */
    static const struct box_type type = {.name = "label",
                                         .bytes = sizeof(struct label)};
    catalogue->labels[i] = product->label;
    box_init(&catalogue->boxes[i], &type, &catalogue->labels[i]);
    free(product);
    boxes_held++;
}

/* Puts the products into a catalogue, and returns it. The caller holds the lock. */
static const struct catalogue *catalogue_keep(struct product *products[PRODUCTS])
{
    struct catalogue *catalogue = &catalogues[catalogues_next];
    catalogues_next = (catalogues_next + 1) % CATALOGUES_MAX;
    catalogue_release(catalogue);
    for (size_t i = 0; i < PRODUCTS; i++) {
        catalogue_add(catalogue, i, products[i]);
    }
    return catalogue;
}

/* Reads the labels in the catalogue's boxes into the answer. A product begins with its
 * label. */
static void catalogue_read(const struct catalogue *catalogue,
                           struct scenario_answer *answer)
{
    unsigned count = 0;
    uint32_t labels = 0;
    for (size_t i = 0; i < PRODUCTS; i++) {
        const struct label *label = catalogue->boxes[i].contents;
        if (label != NULL) {
            count++;
            labels = 31 * labels + scenario_digest(label, sizeof(*label));
        }
    }
    scenario_answer_set(answer, "%u products, labels %08x", count, labels);
}

static int products_receive(const struct scenario_request *request,
                            struct scenario_answer *answer)
{
    struct product *products[PRODUCTS];
    for (unsigned i = 0; i < PRODUCTS; i++) {
        products[i] = product_read(request->id, i, request->bytes);
        if (products[i] == NULL) {
            while (i > 0) {
                free(products[--i]);
            }
            return -ENOMEM;
        }
    }
    pthread_mutex_lock(&catalogues_lock);
    catalogue_read(catalogue_keep(products), answer);
    pthread_mutex_unlock(&catalogues_lock);
    return 0;
}

static size_t boxes_count(void)
{
    pthread_mutex_lock(&catalogues_lock);
    size_t count = boxes_held;
    pthread_mutex_unlock(&catalogues_lock);
    return count;
}

static void catalogues_clear(void)
{
    for (size_t i = 0; i < CATALOGUES_MAX; i++) {
        catalogue_release(&catalogues[i]);
    }
}

const struct scenario interface_list_scenario = {
    .name = "interface-list",
    .family = "interfaces",
    .title = "A list of boxed records",
    .kind = SCENARIO_PERMANENT,
    .story = "A shop reads a hundred products and keeps a catalogue of them, a list of "
             "boxes with one line for each.",
    .symptom = "In-use heap climbs by a hundred whole products with every request, "
               "although a catalogue is a page of text.",
    .cause =
        "Each box holds the whole product that was put in, with its picture, and the "
        "list holds all the boxes.",
    .fix = "The boxes hold only the number and the name; the products are freed when "
           "the request ends.",
    .find_it =
        "Compare two dumps (google-pprof or go tool pprof, with --text --base): "
        "product_read owns what grew, a hundred objects per request. Then look at what "
        "is put into a box.",
    .bytes_default = 64 * 1024,
    .bytes_min = 1024,
    .bytes_max = 2 * 1024 * 1024,
    .bytes_meaning = "one product",
    .leaves = {.blocks = PRODUCTS},
    .suspect = "product_read",
    .run = products_receive,
    .held = boxes_count,
    .stop = catalogues_clear,
};
