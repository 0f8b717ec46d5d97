/*
 * Simulated servers for the trend test: each writes the amounts that the gate would
 * sample. Used by the unit test and by tests/bench/trend_power.c, which prints how
 * often each is judged right. The same seed gives the same numbers on every machine.
 */
#ifndef LAB_TESTS_TREND_SIMULATION_H
#define LAB_TESTS_TREND_SIMULATION_H

#include <math.h>
#include <string.h>

#include "leakcheck/judge/trend.h"

#define SIMULATED_CALLS 10 /* a round, as the gate's default */
#define SIMULATED_LIMIT 1024

/* A server. Amounts are bytes with a limit of SIMULATED_LIMIT a call, or counts with a
 * limit of 0. */
struct simulated {
    const char *name;
    bool bytes;
    double size;    /* of one leaked thing, one entry, one step */
    double one_in;  /* leaks in one call of so many; 0: never */
    bool by_chance; /* in any call with that probability, not in each n-th */
    double noise;   /* standard deviation of what comes and goes */
    double memory;  /* how much of its noise stays to the next round: 0 to 1 */
    double entries; /* a cache of so many entries: each call asks for any of them */
    bool step;      /* one step, at any time */
    double saw;     /* a collector runs every so many rounds; between, `size` a call */
    double period;  /* a sampled profile: mean bytes between two samples */
    bool doubles;   /* the cache's table doubles, too */
    unsigned calls; /* a round; 0: SIMULATED_CALLS */
};

static inline uint64_t random_next(uint64_t *seed)
{
    /* xorshift64*, by its published constants */
    *seed ^= *seed >> 12;
    *seed ^= *seed << 25;
    *seed ^= *seed >> 27;
    return *seed * UINT64_C(2685821657736338717);
}

/* From 0 up to, but not, 1. */
static inline double random_unit(uint64_t *seed)
{
    return (double)(random_next(seed) >> 11) * 0x1p-53;
}

static inline double random_normal(uint64_t *seed)
{
    double radius = sqrt(-2 * log(1 - random_unit(seed)));
    return radius * cos(6.283185307179586 * random_unit(seed));
}

/* What is kept by the calls up to now. */
struct simulated_state {
    double kept;
    double noise;
    double used; /* entries of the cache */
    double table;
    uint64_t call;
};

/* Makes one call: what a leak or a cache keeps of it. A sampled profile sees a leaked
 * block with a probability, and then counts it for all those that it does not see. */
static inline void simulated_call(const struct simulated *server,
                                  struct simulated_state *state, uint64_t *seed)
{
    state->call++;
    bool leaks = false;
    if (server->one_in > 0) {
        leaks = server->by_chance ? random_unit(seed) * server->one_in < 1
                                  : fmod((double)state->call, server->one_in) < 0.5;
    }
    double size = server->size;
    if (leaks && server->period > 0) {
        double seen = 1 - exp(-size / server->period);
        leaks = random_unit(seed) < seen;
        size /= seen;
    }
    state->kept += leaks ? size : 0;
    if (server->entries > 0 && random_unit(seed) * server->entries >= state->used) {
        state->used++;
        state->kept += server->size;
        if (server->doubles && state->used > state->table) {
            state->kept += server->size * state->table;
            state->table = state->table > 0 ? 2 * state->table : 8;
        }
    }
}

/* Fills in `count` samples. A step comes in the first half. */
static inline void simulated_run(const struct simulated *server, uint64_t *seed,
                                 int64_t *calls, int64_t *values, size_t count)
{
    unsigned a_round = server->calls == 0 ? SIMULATED_CALLS : server->calls;
    struct simulated_state state = {.call = random_next(seed) % 1000};
    size_t step = 1 + random_next(seed) % (count / 2);
    for (size_t i = 0; i < count; i++) {
        for (unsigned call = 0; i > 0 && call < a_round; call++) {
            simulated_call(server, &state, seed);
        }
        state.kept += server->step && i == step ? server->size : 0;
        state.noise =
            server->memory * state.noise + sqrt(1 - server->memory * server->memory) *
                                               server->noise * random_normal(seed);
        double saw =
            server->saw > 0 ? fmod((double)i, server->saw) * server->size * a_round : 0;
        calls[i] = (int64_t)(i * a_round);
        values[i] = (int64_t)llround(1e8 + state.kept + state.noise + saw);
    }
}

/* Judges as the gate does: `rounds`, and as many again if the answer is open. */
static inline enum trend_answer simulated_judge(const struct simulated *server,
                                                uint64_t *seed, size_t rounds)
{
    int64_t calls[TREND_SAMPLES_MAX];
    int64_t values[TREND_SAMPLES_MAX];
    int64_t limit = server->bytes ? SIMULATED_LIMIT : 0;
    simulated_run(server, seed, calls, values, 2 * rounds + 1);
    struct trend trend = trend_judge(calls, values, rounds + 1, limit, server->bytes);
    if (trend.answer == TREND_UNCLEAR) {
        trend = trend_judge(calls, values, 2 * rounds + 1, limit, server->bytes);
    }
    return trend.answer;
}

/* Counts the answers of `runs` runs, by enum trend_answer. */
static inline void simulated_count(const struct simulated *server, size_t rounds,
                                   unsigned runs, unsigned counts[3])
{
    uint64_t seed = UINT64_C(88172645463325252);
    memset(counts, 0, 3 * sizeof(counts[0]));
    for (unsigned i = 0; i < runs; i++) {
        counts[simulated_judge(server, &seed, rounds)]++;
    }
}

/* Servers that leak, and servers that do not. */
static const struct simulated simulated_leaks[] = {
    {"descriptor, each 20th call", .size = 1, .one_in = 20},
    {"descriptor, 1 call of 20 by chance", .size = 1, .one_in = 20, .by_chance = true},
    {"descriptor, 1 of 50 by chance", .size = 1, .one_in = 50, .by_chance = true},
    {"descriptor, 1 of 20, noise 1", .size = 1, .one_in = 20, .by_chance = true,
     .noise = 1},
    {"descriptor, 1 of 20, noise 3", .size = 1, .one_in = 20, .by_chance = true,
     .noise = 3},
    {"80 KiB, each 20th call", .bytes = true, .size = 81920, .one_in = 20},
    {"80 KiB, 1 of 20 by chance", .bytes = true, .size = 81920, .one_in = 20,
     .by_chance = true},
    {"80 KiB, 1 of 20, noise 64 KiB", .bytes = true, .size = 81920, .one_in = 20,
     .by_chance = true, .noise = 65536},
    {"80 KiB, 1 of 20, noise 256 KiB", .bytes = true, .size = 81920, .one_in = 20,
     .by_chance = true, .noise = 262144},
    {"4 KiB each call, noise 64 KiB", .bytes = true, .size = 4096, .one_in = 1,
     .noise = 65536},
    {"4 KiB, noise 256 KiB", .bytes = true, .size = 4096, .one_in = 1, .noise = 262144},
    {"4 KiB, noise 64 KiB that stays", .bytes = true, .size = 4096, .one_in = 1,
     .noise = 65536, .memory = 0.7},
    {"4 KiB, 1 sample in 512 KiB", .bytes = true, .size = 4096, .one_in = 1,
     .period = 524288, .calls = 500},
    {"the same, others come and go", .bytes = true, .size = 4096, .one_in = 1,
     .period = 524288, .noise = 524288 * 3, .calls = 500},
};

static const struct simulated simulated_clean[] = {
    {"nothing moves", .size = 1},
    {"descriptors, noise 1", .noise = 1},
    {"descriptors, noise 5", .noise = 5},
    {"descriptors, noise 3 that stays", .noise = 3, .memory = 0.7},
    {"a pool of 6 connections", .size = 1, .entries = 6},
    {"one step", .size = 1, .step = true},
    {"heap, noise 64 KiB", .bytes = true, .noise = 65536},
    {"heap, noise 256 KiB", .bytes = true, .noise = 262144},
    {"heap, noise 256 KiB that stays", .bytes = true, .noise = 262144, .memory = 0.7},
    {"heap, noise that hardly leaves", .bytes = true, .noise = 262144, .memory = 0.9},
    {"a collector every 8 rounds", .bytes = true, .size = 4096, .saw = 8},
    {"samples of 512 KiB come and go", .bytes = true, .noise = 524288 * 3,
     .calls = 500},
    {"cache of 20 entries", .bytes = true, .size = 16384, .entries = 20},
    {"cache of 20, its table doubles", .bytes = true, .size = 16384, .entries = 20,
     .doubles = true},
    {"cache of 60, its table doubles", .bytes = true, .size = 16384, .entries = 60,
     .doubles = true},
    {"cache of 20, noise 64 KiB", .bytes = true, .size = 16384, .entries = 20,
     .noise = 65536},
    {"cache of 60 entries", .bytes = true, .size = 16384, .entries = 60},
    {"cache of 120 (as many as calls)", .bytes = true, .size = 16384, .entries = 120},
    {"cache of 480 (4 times the calls)", .bytes = true, .size = 16384, .entries = 480},
    {"one step of 1 MiB", .bytes = true, .size = 1048576, .step = true},
};

#endif
