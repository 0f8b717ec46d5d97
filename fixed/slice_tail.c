/*
 * A message server hands each subscriber a batch of messages as a queue, and keeps
 * what the subscriber has not read yet.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/slice.h"
#include "scenario.h"

#define MESSAGE_BYTES 64
#define MAILBOXES_MAX 65536

/* A subscriber's queue: its oldest message comes first. */
struct mailbox {
    struct slice queue;
    unsigned char room[MESSAGE_BYTES];
};

/* The newest mailboxes. When the table is full, a new one replaces the oldest. */
static struct mailbox mailboxes[MAILBOXES_MAX];
static size_t mailboxes_next;
static size_t mailboxes_held;
static pthread_mutex_t mailboxes_lock = PTHREAD_MUTEX_INITIALIZER;

/* Reads `bytes` bytes of messages, each with its number in front; an empty slice when
 * memory is short. */
static struct slice messages_read(const char *id, size_t bytes)
{
    struct slice_array *array = malloc(slice_array_bytes(bytes));
    if (array == NULL) {
        return (struct slice){0};
    }
    struct slice messages = slice_of(array, bytes);
    memset(messages.data, id[0], messages.length);
    uint32_t number = scenario_digest(id, strlen(id));
    for (size_t i = 0; i + sizeof(number) <= bytes; i += MESSAGE_BYTES) {
        memcpy(messages.data + i, &number, sizeof(number));
        number++;
    }
    return messages;
}

static void mailbox_release(struct mailbox *mailbox)
{
    if (mailbox->queue.length > 0) {
        slice_release(&mailbox->queue);
        mailboxes_held--;
    }
}

/* Removes the oldest message from the queue, which has more than one, and returns its
 * number. */
static uint32_t message_pop(struct mailbox *mailbox)
{
    struct slice queue = mailbox->queue;
    uint32_t number;
    memcpy(&number, queue.data, sizeof(number));
    mailbox->queue = slice_sub(queue, MESSAGE_BYTES, queue.length);
    /* FIX: a small rest is copied into the mailbox, so that the array can be freed. */
    if (mailbox->queue.length <= sizeof(mailbox->room)) {
        struct slice rest = mailbox->queue;
        mailbox->queue = slice_borrow(mailbox->room, rest.length);
        slice_copy(mailbox->queue, rest);
        slice_release(&rest);
    }
    slice_release(&queue);
    return number;
}

/* The subscriber reads all its messages but the last. The answer is the number of the
 * last one that it read, and what is left. */
static void mailbox_deliver(struct slice messages, struct scenario_answer *answer)
{
    pthread_mutex_lock(&mailboxes_lock);
    struct mailbox *mailbox = &mailboxes[mailboxes_next];
    mailboxes_next = (mailboxes_next + 1) % MAILBOXES_MAX;
    mailbox_release(mailbox);
    mailbox->queue = messages;
    mailboxes_held++;
    uint32_t read = 0;
    while (mailbox->queue.length > MESSAGE_BYTES) {
        read = message_pop(mailbox);
    }
    scenario_answer_set(answer, "read up to %08x, left %08x (%zu bytes)", read,
                        scenario_digest(mailbox->queue.data, mailbox->queue.length),
                        mailbox->queue.length);
    pthread_mutex_unlock(&mailboxes_lock);
}

static int messages_receive(const struct scenario_request *request,
                            struct scenario_answer *answer)
{
    struct slice messages = messages_read(request->id, request->bytes);
    if (messages.length == 0) {
        return -ENOMEM;
    }
    mailbox_deliver(messages, answer);
    return 0;
}

static size_t mailboxes_count(void)
{
    pthread_mutex_lock(&mailboxes_lock);
    size_t count = mailboxes_held;
    pthread_mutex_unlock(&mailboxes_lock);
    return count;
}

static void mailboxes_clear(void)
{
    for (size_t i = 0; i < MAILBOXES_MAX; i++) {
        mailbox_release(&mailboxes[i]);
    }
}

const struct scenario slice_tail_scenario = {
    .name = "slice-tail",
    .family = "retained-slices",
    .title = "A queue popped by re-slicing",
    .kind = SCENARIO_PERMANENT,
    .story = "A message server gives each subscriber a queue of messages; the "
             "subscriber reads all but the last one.",
    .symptom = "In-use heap climbs by a whole queue with every request, although each "
               "mailbox has one message left.",
    .cause =
        "Popping moves the start of the view forward. The messages before it can "
        "no longer be reached, but the array stays whole while its tail is in use.",
    .fix = "When what is left fits into the mailbox itself, it is copied there and the "
           "array is released.",
    .find_it =
        "Compare two dumps (google-pprof or go tool pprof, with --text --base): "
        "messages_read owns what grew. Then look at the code that removes messages, "
        "and at what it frees.",
    .bytes_default = 1024 * 1024,
    .bytes_min = 1024,
    .bytes_max = 256 * 1024 * 1024,
    .bytes_meaning = "the messages of one queue",
    .leaves = {.blocks = 1},
    .suspect = "messages_read",
    .run = messages_receive,
    .held = mailboxes_count,
    .stop = mailboxes_clear,
};
