/*
 * A printer driver renders a page as a hundred strips, one after the other, each in a
 * buffer that it needs only until the strip is sent.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/pool.h"
#include "scenario.h"

#define STRIPS 100
#define EDGE_BYTES 256 /* the end of a strip, where its label is */

/* What the printer has received of a page. */
struct page {
    size_t bytes;
    uint32_t sum; /* a checksum of the edges of all strips */
};

static void strip_send(const unsigned char *strip, size_t bytes, struct page *page)
{
    const unsigned char *edge = strip + bytes - EDGE_BYTES;
    page->bytes += bytes;
    page->sum = page->sum * 31 + scenario_digest(edge, EDGE_BYTES);
}

static int strip_render(const struct scenario_request *request, unsigned number,
                        struct page *page, struct pool *strips)
{
    /* FIX: a strip uses the buffer of the strip before; only the first one is new. */
    unsigned char *strip = pool_get(strips, request->bytes);
    if (strip == NULL) {
        strip = malloc(request->bytes);
    }
    if (strip == NULL) {
        return -ENOMEM;
    }
    size_t length = strlen(request->id);
    memset(strip, (int)number, request->bytes);
    memcpy(strip + request->bytes - length, request->id, length);
    strip_send(strip, request->bytes, page);
    if (!pool_put(strips, strip, request->bytes)) {
        free(strip);
    }
    return 0;
}

static int page_print(const struct scenario_request *request,
                      struct scenario_answer *answer)
{
    struct page page = {0};
    struct pool strips = POOL_INIT(1, request->bytes);
    int error = 0;
    for (unsigned i = 0; i < STRIPS && error == 0; i++) {
        error = strip_render(request, i, &page, &strips);
    }
    pool_clear(&strips);
    if (error == 0) {
        scenario_answer_set(answer, "%zu bytes printed, %08x", page.bytes, page.sum);
    }
    return error;
}

const struct scenario buffer_churn_scenario = {
    .name = "buffer-churn",
    .family = "churn",
    .title = "A new buffer for every step",
    .kind = SCENARIO_CHURN,
    .story =
        "A printer driver renders a page in a hundred strips and needs a buffer for "
        "each, one at a time.",
    .symptom = "In-use heap stays flat, but the bytes allocated in total climb by a "
               "hundred buffers with every page. This costs processor time.",
    .cause = "Every strip mallocs its own buffer and frees it a moment later.",
    .fix = "The strips take their buffer from a pool and put it back: a page needs one "
           "malloc instead of a hundred.",
    .find_it = "In-use shows nothing. Read a dump (google-pprof or go tool pprof, with "
               "--text --alloc_space): strip_render is at the top. In /status, "
               "total_alloc_bytes climbs.",
    .bytes_default = 64 * 1024,
    .bytes_min = 1024,
    .bytes_max = 16 * 1024 * 1024,
    .bytes_meaning = "the buffer of one strip",
    .churn_blocks = STRIPS,
    .suspect = "strip_render",
    .run = page_print,
};
