/*
 * A gateway reads large payloads and remembers the first bytes of each, its signature,
 * to recognise a payload that it has seen before.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/slice.h"
#include "scenario.h"

#define SIGNATURE_BYTES 10
#define SIGNATURES_MAX 65536

struct signature {
    struct slice view;
    unsigned char bytes[SIGNATURE_BYTES];
};

/* The newest signatures. When the table is full, a new one replaces the oldest. */
static struct signature signatures[SIGNATURES_MAX];
static size_t signatures_next;
static size_t signatures_held;
static pthread_mutex_t signatures_lock = PTHREAD_MUTEX_INITIALIZER;

/* Reads a payload of `bytes` bytes; an empty slice when memory is short. */
static struct slice payload_read(const char *id, size_t bytes)
{
    struct slice_array *array = malloc(slice_array_bytes(bytes));
    if (array == NULL) {
        return (struct slice){0};
    }
    struct slice payload = slice_of(array, bytes);
    memset(payload.data, id[0], payload.length);
    /* A payload begins with its number. */
    uint32_t number = scenario_digest(id, strlen(id));
    memcpy(payload.data, &number, sizeof(number));
    return payload;
}

static void signature_release(struct signature *signature)
{
    if (signature->view.length > 0) {
        slice_release(&signature->view);
        signatures_held--;
    }
}

/* Remembers the first bytes of `payload`, and returns the place in the table. The
 * caller holds the lock. */
static const struct signature *signature_keep(struct slice payload)
{
    struct signature *signature = &signatures[signatures_next];
    signatures_next = (signatures_next + 1) % SIGNATURES_MAX;
    signature_release(signature);
    /* LEAK: a view of ten bytes keeps the whole array of the payload alive. */
    signature->view = slice_sub(payload, 0, SIGNATURE_BYTES);
    signatures_held++;
    return signature;
}

static int payload_receive(const struct scenario_request *request,
                           struct scenario_answer *answer)
{
    struct slice payload = payload_read(request->id, request->bytes);
    if (payload.length == 0) {
        return -ENOMEM;
    }
    size_t received = payload.length;
    pthread_mutex_lock(&signatures_lock);
    const struct signature *kept = signature_keep(payload);
    slice_release(&payload);
    scenario_answer_set(answer, "signature %08x of %zu bytes",
                        scenario_digest(kept->view.data, kept->view.length), received);
    pthread_mutex_unlock(&signatures_lock);
    return 0;
}

static size_t signatures_count(void)
{
    pthread_mutex_lock(&signatures_lock);
    size_t count = signatures_held;
    pthread_mutex_unlock(&signatures_lock);
    return count;
}

static void signatures_clear(void)
{
    for (size_t i = 0; i < SIGNATURES_MAX; i++) {
        signature_release(&signatures[i]);
    }
}

const struct scenario slice_prefix_scenario = {
    .name = "slice-prefix",
    .family = "retained-slices",
    .title = "A small view keeps a large buffer",
    .kind = SCENARIO_PERMANENT,
    .story = "A gateway reads a large payload and remembers its first ten bytes.",
    .symptom =
        "In-use heap climbs by a whole payload with every request, although only "
        "ten bytes of each are wanted.",
    .cause = "The ten bytes are kept as a view. A view holds a reference to its whole "
             "array, so the array is never freed.",
    .fix = "Copy the ten bytes. Then the last reference to the array ends with the "
           "request.",
    .find_it =
        "Compare two dumps (google-pprof or go tool pprof, with --text --base): "
        "payload_read owns what grew. It only reads: look for the code that still "
        "holds what it returned.",
    .bytes_default = 10 * 1024 * 1024,
    .bytes_min = 1024,
    .bytes_max = 256 * 1024 * 1024,
    .bytes_meaning = "the payload",
    .leaves = {.blocks = 1},
    .suspect = "payload_read",
    .run = payload_receive,
    .held = signatures_count,
    .stop = signatures_clear,
};
