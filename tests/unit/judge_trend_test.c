/*
 * Tests of the trend: slow leaks are found, and neither noise, nor caches that fill,
 * nor single steps are called leaks. The rates are those of docs/ci.md, with some room.
 */
#include "trend_simulation.h"
#include "unit.h"

#define RUNS 50
#define SERVERS(table) table, sizeof(table) / sizeof((table)[0])

static const struct simulated *server_named(const struct simulated *servers,
                                            size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(servers[i].name, name) == 0) {
            return &servers[i];
        }
    }
    fail_msg("no simulated server '%s'", name);
    return NULL;
}

/* How many of 100 runs of this server get the answer. */
static unsigned percent(const struct simulated *server, size_t rounds,
                        enum trend_answer answer)
{
    unsigned counts[3];
    simulated_count(server, rounds, RUNS, counts);
    return counts[answer] * 100 / RUNS;
}

static void one_call_of_twenty_is_found(void **state)
{
    (void)state;
    static const char *const names[] = {"descriptor, each 20th call",
                                        "80 KiB, each 20th call"};
    for (size_t i = 0; i < 2; i++) {
        const struct simulated *server =
            server_named(SERVERS(simulated_leaks), names[i]);
        assert_int_equal(percent(server, 12, TREND_GROWS), 100);
        assert_int_equal(percent(server, 40, TREND_GROWS), 100);
    }
}

static void most_leaks_are_found(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(simulated_leaks) / sizeof(simulated_leaks[0]); i++) {
        const struct simulated *server = &simulated_leaks[i];
        unsigned found = percent(server, 40, TREND_GROWS);
        if (found < 90) {
            fail_msg("%s: found in %u %%", server->name, found);
        }
        if (percent(server, 40, TREND_HOLDS) > 4) {
            fail_msg("%s: called clean", server->name);
        }
    }
}

static void what_is_clean_is_no_leak(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(simulated_clean) / sizeof(simulated_clean[0]); i++) {
        const struct simulated *server = &simulated_clean[i];
        bool large = server->entries > 240; /* does not fill while it is judged */
        for (size_t rounds = 12; rounds <= 40; rounds += 28) {
            unsigned wrong = percent(server, rounds, TREND_GROWS);
            if (wrong > (large && rounds == 12 ? 30 : 2)) {
                fail_msg("%s: called a leak in %u %%", server->name, wrong);
            }
        }
    }
}

/* Judges these amounts; there are ten calls between two of them. */
static struct trend trend_of(const int64_t *values, size_t count, int64_t limit,
                             bool bytes)
{
    int64_t calls[TREND_SAMPLES_MAX];
    for (size_t i = 0; i < count; i++) {
        calls[i] = (int64_t)i * 10;
    }
    return trend_judge(calls, values, count, limit, bytes);
}

static void a_steady_leak_has_its_slope(void **state)
{
    (void)state;
    int64_t values[13];
    for (int i = 0; i < 13; i++) {
        values[i] = 7000 + 20500 * i;
    }
    struct trend trend = trend_of(values, 13, 1024, true);
    assert_int_equal(trend.answer, TREND_GROWS);
    assert_true(fabs(trend.slope - 2050) < 1e-9);
    assert_true(trend.chance < 0.001);
    assert_int_equal(trend.steps, 12);
}

/* The first calls also make what all later ones use. */
static void a_first_round_that_takes_more_hides_no_leak(void **state)
{
    (void)state;
    int64_t values[25] = {95, 107};
    for (int i = 2; i < 25; i++) {
        values[i] = values[i - 1] + 10;
    }
    assert_int_equal(trend_of(values, 25, 0, false).answer, TREND_GROWS);
    assert_int_equal(trend_of(values, 13, 0, false).answer, TREND_GROWS);
}

static void growth_within_the_limit_holds(void **state)
{
    (void)state;
    int64_t values[13];
    for (int i = 0; i < 13; i++) {
        values[i] = 7000 + 9000 * i;
    }
    assert_int_equal(trend_of(values, 13, 1024, true).answer, TREND_HOLDS);
    assert_int_equal(trend_of(values, 13, 800, true).answer, TREND_GROWS);
}

/* A cache that is full after two rounds holds; one step in the sixth proves nothing. */
static void silence_must_be_long(void **state)
{
    (void)state;
    const int64_t filled[] = {0, 9, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12};
    const int64_t stepped[] = {0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1};
    const int64_t twice[] = {0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 2, 2, 2};
    const int64_t late[] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
    assert_int_equal(trend_of(filled, 13, 0, false).answer, TREND_HOLDS);
    struct trend trend = trend_of(stepped, 13, 0, false);
    assert_int_equal(trend.answer, TREND_UNCLEAR);
    assert_int_equal(trend.steps, 1);
    assert_int_equal(trend.last_step, 6);
    assert_int_equal(trend_of(twice, 13, 0, false).answer, TREND_UNCLEAR);
    assert_int_equal(trend_of(late, 13, 0, false).answer, TREND_UNCLEAR);
}

/* A table that doubles while it fills: its steps are large, and come ever later. */
static void slower_growth_is_open(void **state)
{
    (void)state;
    const int64_t doubling[] = {0, 1, 2, 4, 4, 8, 8, 8, 8, 16, 16, 16, 16};
    int64_t curve[25];
    int64_t bent[25];
    for (int i = 0; i < 25; i++) {
        curve[i] = llround(1e6 * (1 - exp(-i / 8.0)));
        bent[i] = (i < 12 ? 100 * i : 1200 + 35 * (i - 12)) + 150 * (i * 7 % 5 - 2);
    }
    assert_int_equal(trend_of(doubling, 13, 0, false).answer, TREND_UNCLEAR);
    assert_int_equal(trend_of(curve, 25, 10, true).answer, TREND_UNCLEAR);
    assert_int_equal(trend_of(bent, 25, 0, true).answer, TREND_UNCLEAR);
}

static void few_samples_prove_nothing(void **state)
{
    (void)state;
    int64_t values[TREND_SAMPLES_MAX];
    for (int i = 0; i < TREND_SAMPLES_MAX; i++) {
        values[i] = i;
    }
    assert_int_equal(trend_of(values, 12, 0, false).answer, TREND_UNCLEAR);
    assert_int_equal(trend_of(values, 13, 0, false).answer, TREND_GROWS);
    assert_int_equal(trend_of(values, TREND_SAMPLES_MAX, 0, false).answer, TREND_GROWS);
    assert_int_equal(trend_of(values, 0, 0, false).answer, TREND_UNCLEAR);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_call_of_twenty_is_found),
        cmocka_unit_test(most_leaks_are_found),
        cmocka_unit_test(what_is_clean_is_no_leak),
        cmocka_unit_test(a_steady_leak_has_its_slope),
        cmocka_unit_test(a_first_round_that_takes_more_hides_no_leak),
        cmocka_unit_test(growth_within_the_limit_holds),
        cmocka_unit_test(silence_must_be_long),
        cmocka_unit_test(slower_growth_is_open),
        cmocka_unit_test(few_samples_prove_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
