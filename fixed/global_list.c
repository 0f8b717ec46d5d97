/*
 * An importer keeps a list of the orders that it is working on, so that an operator
 * can see them.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "scenario.h"

#define ORDERS_START 16384

/* The orders on the list. The array grows when it is full. */
static unsigned char **orders;
static size_t orders_count;
static size_t orders_capacity;
static pthread_mutex_t orders_lock = PTHREAD_MUTEX_INITIALIZER;

/* An order of `bytes` bytes, the last of them its total, which the caller frees; NULL
 * when memory is short. */
static unsigned char *order_read(const char *id, size_t bytes)
{
    unsigned char *order = malloc(bytes);
    if (order == NULL) {
        return NULL;
    }
    memset(order, id[0], bytes);
    uint32_t total = scenario_digest(id, strlen(id));
    memcpy(order + bytes - sizeof(total), &total, sizeof(total));
    return order;
}

/* Makes room for one more order. The caller holds the lock. */
static int orders_reserve(void)
{
    if (orders_count < orders_capacity) {
        return 0;
    }
    size_t capacity = orders_capacity == 0 ? ORDERS_START : orders_capacity * 2;
    unsigned char **grown = realloc(orders, capacity * sizeof(*orders));
    if (grown == NULL) {
        return -ENOMEM;
    }
    orders = grown;
    orders_capacity = capacity;
    return 0;
}

/* Puts `order` on the list. Returns 0 or -errno. */
static int order_list(unsigned char *order)
{
    pthread_mutex_lock(&orders_lock);
    int error = orders_reserve();
    if (error == 0) {
        orders[orders_count++] = order;
    }
    pthread_mutex_unlock(&orders_lock);
    return error;
}

/* Takes `order` off the list, where it must be, and frees it. */
static void order_finish(unsigned char *order)
{
    pthread_mutex_lock(&orders_lock);
    size_t i = 0;
    while (orders[i] != order) {
        i++;
    }
    orders[i] = orders[--orders_count];
    pthread_mutex_unlock(&orders_lock);
    free(order);
}

/* Reads the total of `order` into the answer, as the operator sees it on the list. The
 * order has `bytes` bytes. */
static void order_show(const unsigned char *order, size_t bytes,
                       struct scenario_answer *answer)
{
    pthread_mutex_lock(&orders_lock);
    size_t i = orders_count;
    while (i > 0 && orders[i - 1] != order) {
        i--;
    }
    if (i > 0) {
        uint32_t total;
        memcpy(&total, orders[i - 1] + bytes - sizeof(total), sizeof(total));
        scenario_answer_set(answer, "order of %zu bytes, total %08x", bytes, total);
    }
    pthread_mutex_unlock(&orders_lock);
}

static int order_import(const struct scenario_request *request,
                        struct scenario_answer *answer)
{
    size_t bytes = request->bytes;
    unsigned char *order = order_read(request->id, bytes);
    if (order == NULL) {
        return -ENOMEM;
    }
    int error = order_list(order);
    if (error != 0) {
        free(order);
        return error;
    }
    order_show(order, bytes, answer);
    /* FIX: the order is done, so it leaves the list. */
    order_finish(order);
    return 0;
}

static size_t orders_listed(void)
{
    pthread_mutex_lock(&orders_lock);
    size_t count = orders_count;
    pthread_mutex_unlock(&orders_lock);
    return count;
}

static void orders_clear(void)
{
    for (size_t i = 0; i < orders_count; i++) {
        free(orders[i]);
    }
    free(orders);
    orders = NULL;
    orders_count = 0;
    orders_capacity = 0;
}

const struct scenario global_list_scenario = {
    .name = "global-list",
    .family = "global-caches",
    .title = "A global list that only grows",
    .kind = SCENARIO_PERMANENT,
    .story = "An importer puts each order that it works on into a global list, so that "
             "an operator can see it.",
    .symptom = "In-use heap climbs by an order with every request, and so does the "
               "number of orders that are said to be in progress.",
    .cause =
        "Orders are put on the list and never taken off. The list is global, so all "
        "of them stay reachable: a leak checker finds nothing lost.",
    .fix = "When an order is done it is taken off the list and freed. It lives only as "
           "long as its request.",
    .find_it =
        "Compare two dumps (google-pprof or go tool pprof, with --text --base): "
        "order_read owns what grew. In /status, held grows by one with every call.",
    .bytes_default = 1024 * 1024,
    .bytes_min = 1024,
    .bytes_max = 256 * 1024 * 1024,
    .bytes_meaning = "one order",
    .leaves = {.blocks = 1},
    .suspect = "order_read",
    .run = order_import,
    .held = orders_listed,
    .stop = orders_clear,
};
