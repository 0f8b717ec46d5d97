/*
 * Sampling: a Poisson process over the bytes that are allocated. A point falls on
 * average once in every `period` bytes, and a block is sampled if one falls on it. So a
 * block of `bytes` bytes is sampled with the probability 1 - exp(-bytes / period), and
 * a sample stands for the inverse of that many blocks: sums over samples are then right
 * on average, for blocks of every size. The C library's libm is not used: a program
 * that is not ours need not have it.
 */
#ifndef PROBE_RECORDER_POISSON_H
#define PROBE_RECORDER_POISSON_H

#include <stddef.h>
#include <stdint.h>

/* The next number of a generator (splitmix64), whose state may begin with any value. */
uint64_t probe_random(uint64_t *state);

/* The bytes up to the next point: exponentially distributed with mean `period`. */
uint64_t probe_poisson_gap(uint64_t *state, size_t period);

/* How many blocks a sample stands for: at least 1. */
double probe_poisson_weight(uint64_t bytes, size_t period);

#endif
