/*
 * A shop hands every new order to a worker, which keeps the order's papers and waits
 * until the bank has reported both payments. For these orders only the first will come.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/channel.h"
#include "runtime/context.h"
#include "scenario.h"

#define ORDER_PATIENCE_MS 20
#define ORDER_PAYMENTS 2
#define ORDER_HEAD_BYTES 256 /* of an order's bytes; the rest are its papers */

struct order {
    struct context patience; /* ends when the shop stops waiting */
    struct channel paid;     /* a signal from the bank */
    struct channel receipt;  /* of uint32_t: the papers' digest, for each payment */
    unsigned payments;
    size_t papers_bytes;
    char papers[];
};

_Static_assert(sizeof(struct order) <= ORDER_HEAD_BYTES, "the head has room");

static atomic_size_t orders_open;

/* NULL when memory is short. */
static struct order *order_open(const struct scenario_request *request)
{
    struct order *order = malloc(request->bytes);
    if (order == NULL) {
        return NULL;
    }
    order->payments = 0;
    order->papers_bytes = request->bytes - ORDER_HEAD_BYTES;
    memset(order->papers, ' ', order->papers_bytes);
    snprintf(order->papers, order->papers_bytes, "%s", request->id);
    context_init(&order->patience, NULL);
    channel_init(&order->paid, NULL, 0, 0);
    channel_init(&order->receipt, NULL, sizeof(uint32_t), 0);
    atomic_fetch_add(&orders_open, 1);
    return order;
}

static void order_close(struct order *order)
{
    channel_finish(&order->receipt);
    channel_finish(&order->paid);
    context_finish(&order->patience);
    free(order);
    atomic_fetch_sub(&orders_open, 1);
}

/* Sends the receipt. From now on, the shop waits only so long for the next payment. */
static void order_confirm(struct order *order)
{
    order->payments++;
    uint32_t digest = scenario_digest(order->papers, order->papers_bytes);
    channel_send(&order->receipt, &digest, NULL);
    context_init_timeout(&order->patience, NULL, ORDER_PATIENCE_MS);
}

static void order_await_payment(struct order *order)
{
    /* FIX: the wait ends at its deadline, even if no payment comes. */
    while (order->payments < ORDER_PAYMENTS &&
           channel_receive(&order->paid, NULL, &order->patience) == 0) {
        order_confirm(order);
    }
}

static void *order_main(void *argument)
{
    struct order *order = argument;
    pthread_setname_np(pthread_self(), "order");
    order_await_payment(order);
    order_close(order);
    return NULL;
}

static int order_accept(const struct scenario_request *request,
                        struct scenario_answer *answer)
{
    struct order *order = order_open(request);
    if (order == NULL) {
        return -ENOMEM;
    }
    pthread_t worker;
    int error = -pthread_create(&worker, NULL, order_main, order);
    if (error != 0) {
        order_close(order);
        return error;
    }
    uint32_t digest = 0;
    channel_send(&order->paid, NULL, NULL);
    channel_receive(&order->receipt, &digest, NULL);
    scenario_answer_set(answer, "%zu bytes, papers %08x", request->bytes, digest);
    pthread_join(worker, NULL);
    return 0;
}

static size_t order_count(void)
{
    return atomic_load(&orders_open);
}

const struct scenario thread_wait_scenario = {
    .name = "thread-wait",
    .family = "stuck-threads",
    .title = "A wait for a signal that nobody sends",
    .kind = SCENARIO_PERMANENT,
    .story =
        "A shop gives each order to a worker, which waits until the bank reports that "
        "both halves of the price are paid.",
    .symptom =
        "Every request leaves a thread and an order's papers behind, and no processor "
        "time is used.",
    .cause =
        "The worker waits without a deadline. The second signal never comes, so the "
        "worker never reaches the line that frees the papers.",
    .fix =
        "Wait with a context that has a deadline. The worker then frees the papers and "
        "ends, paid or not, and the thread is joined.",
    .find_it =
        "/debug/pprof/goroutine?debug=1 shows many threads under "
        "order_await_payment. The heap profile shows what they hold: order_open.",
    .bytes_default = 64 * 1024,
    .bytes_min = 1024,
    .bytes_max = 256 * 1024 * 1024,
    .bytes_meaning = "the papers of an order",
    .leaves = {.blocks = 1, .threads = 1},
    .suspect = "order_open",
    .run = order_accept,
    .held = order_count,
};
