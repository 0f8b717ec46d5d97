/*
 * Sampling is without bias: sums over samples, each scaled by the probability of its
 * size, are what was allocated, for blocks of every size. The bounds are six standard
 * deviations wide.
 */
#include "recorder.h"

#include <math.h>

#include "probe/recorder/poisson.h"

#define PERIOD ((size_t)4096)

/* The places that allocate, one for each size. */
#define PLACE(bytes)                                                                   \
    void *place_##bytes(void);                                                         \
    void *place_##bytes(void)                                                          \
    {                                                                                  \
        void *block = malloc(bytes);                                                   \
        return block;                                                                  \
    }
PLACE(1)
PLACE(16)
PLACE(100)
PLACE(1000)
PLACE(4096)
PLACE(20000)
PLACE(100000)

static const struct {
    const char *name;
    void *(*allocate)(void);
    size_t bytes;
    size_t blocks;
} places[] = {
    {"place_1", place_1, 1, 1000000},
    {"place_16", place_16, 16, 400000},
    {"place_100", place_100, 100, 200000},
    {"place_1000", place_1000, 1000, 100000},
    {"place_4096", place_4096, 4096, 50000},
    {"place_20000", place_20000, 20000, 20000},
    {"place_100000", place_100000, 100000, 2000},
};

static void assert_near(const char *what, double found, double wanted, double bound)
{
    if (fabs(found - wanted) > bound) {
        fail_msg("%s: %.0f, wanted %.0f, at most %.0f away", what, found, wanted,
                 bound);
    }
}

/* Each block is sampled or not, so the number of samples has a binomial distribution;
 * a sample stands for 1 / probability blocks. */
static void test_estimates_are_without_bias(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        for (size_t block = 0; block < places[i].blocks; block++) {
            free(places[i].allocate());
        }
        double bytes = (double)places[i].bytes;
        double blocks = (double)places[i].blocks;
        double probability = -expm1(-bytes / (double)PERIOD);
        double deviation = sqrt(blocks * probability * (1 - probability));
        int64_t raw[STACK_VALUES];
        int64_t values[STACK_VALUES];
        recorder_sum(true, 0, places[i].name, raw);
        recorder_sum(false, 0, places[i].name, values);
        assert_near(places[i].name, (double)raw[HEAP_ALLOC_OBJECTS],
                    blocks * probability, 6 * deviation + 1);
        assert_near(places[i].name, (double)values[HEAP_ALLOC_OBJECTS], blocks,
                    6 * deviation / probability + 1);
        assert_near(places[i].name, (double)values[HEAP_ALLOC_SPACE], blocks * bytes,
                    6 * deviation / probability * bytes + blocks);
        assert_int_equal(values[HEAP_INUSE_OBJECTS], 0);
        assert_int_equal(values[HEAP_INUSE_SPACE], 0);
    }
}

void *place_kept(size_t bytes);
void *place_kept(size_t bytes)
{
    void *block = malloc(bytes);
    return block;
}

/* Blocks that stay in use, some of them moved by realloc. */
static void test_what_is_in_use_is_estimated(void **state)
{
    (void)state;
    enum { KEPT = 20000, BYTES = 500 };
    static void *kept[KEPT];
    int64_t values[STACK_VALUES];
    struct recorder_figures figures;
    double probability = -expm1(-(double)BYTES / (double)PERIOD);
    double bound = 6 * sqrt(KEPT * probability * (1 - probability)) / probability;
    for (size_t i = 0; i < KEPT; i++) {
        kept[i] = place_kept(BYTES);
    }
    recorder_sum(false, 0, "place_kept", values);
    assert_near("kept", (double)values[HEAP_INUSE_OBJECTS], KEPT, bound);
    assert_near("kept bytes", (double)values[HEAP_INUSE_SPACE], KEPT * BYTES,
                bound * BYTES);
    probe_recorder_read_figures(&figures);
    assert_near("in use", (double)(figures.allocations - figures.frees), KEPT, bound);
    for (size_t i = 0; i < KEPT; i++) {
        free(kept[i]);
    }
    recorder_sum(false, 0, "place_kept", values);
    assert_int_equal(values[HEAP_INUSE_OBJECTS], 0);
    assert_int_equal(values[HEAP_INUSE_SPACE], 0);
}

/* The two functions are written without libm. */
static void test_weights_and_gaps(void **state)
{
    (void)state;
    for (double bytes = 1; bytes < 1e12; bytes *= 1.7) {
        uint64_t whole = (uint64_t)bytes;
        double right = -1 / expm1(-(double)whole / 524288.0);
        double weight = probe_poisson_weight(whole, 524288);
        assert_near("weight", weight / right * 1e9, 1e9, 10);
    }
    enum { GAPS = 200000 };
    uint64_t random = 1;
    double sum = 0;
    double squares = 0;
    size_t above = 0;
    for (int i = 0; i < GAPS; i++) {
        double gap = (double)probe_poisson_gap(&random, 1000000) / 1e6;
        sum += gap;
        squares += gap * gap;
        above += gap > 3;
    }
    /* Mean 1, mean of squares 2, with standard deviations of 1 and sqrt(20). */
    assert_near("mean", sum, GAPS, 6 * sqrt(GAPS));
    assert_near("squares", squares, 2.0 * GAPS, 6 * sqrt(20.0 * GAPS));
    assert_near("tail", (double)above, GAPS * exp(-3), 6 * sqrt(GAPS * exp(-3)));
}

static int begin(void **state)
{
    (void)state;
    recorder_begin(RECORDER_SAMPLED, PERIOD);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_weights_and_gaps),
        cmocka_unit_test(test_estimates_are_without_bias),
        cmocka_unit_test(test_what_is_in_use_is_estimated),
    };
    return cmocka_run_group_tests(tests, begin, NULL);
}
