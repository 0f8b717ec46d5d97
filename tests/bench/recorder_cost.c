/*
 * What the recorder costs. Prints the CPU time, in nanoseconds, of a pair of malloc and
 * free at the end of a stack of 12 frames, in so many threads at once; or the bytes
 * that the recorder takes for each of 1,000,000 blocks in use, from 2 to the power of
 * CHOICES stacks, at most 16.
 *
 *   usage: recorder_cost bare|exact|sampled THREADS
 *          recorder_cost blocks CHOICES
 *
 * Compiled with -DPLAIN it has no recorder: for other programs' instruments.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "probe/preload/agent.h"
#include "probe/preload/malloc_calls.h"
#include "probe/recorder/recorder.h"

#define PAIRS 1000000
#define THREADS_MAX 8
#define ROUNDS 3
#define LIVE 1000000
#define CHOICES_MAX 16
#define FRAMES 12 /* with that of the thread's first function, and those below it */

#ifndef PLAIN
bool probe_agent_active; /* what agent.c has in the library */

static int begin(const char *mode)
{
    enum recorder_mode wanted =
        strcmp(mode, "sampled") == 0 ? RECORDER_SAMPLED : RECORDER_EXACT;
    if (strcmp(mode, "bare") == 0) {
        return 0;
    }
    probe_agent_active = true;
    return probe_recorder_start(wanted, RECORDER_PERIOD);
}

static uint64_t own_bytes(void)
{
    struct recorder_figures figures;
    probe_recorder_read_figures(&figures);
    return figures.own_bytes;
}
#else
static int begin(const char *mode)
{
    return strcmp(mode, "bare");
}

static uint64_t own_bytes(void)
{
    return 0;
}
#endif

static double cpu_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static __attribute__((noinline)) void pairs(unsigned frames)
{
    if (frames > 0) {
        pairs(frames - 1);
        __asm__ volatile(""); /* no tail call */
        return;
    }
    for (unsigned i = 0; i < PAIRS; i++) {
        void *block = malloc(16 + i % 64);
        __asm__ volatile("" : : "r"(block) : "memory");
        free(block);
    }
}

/* Below are start_thread and clone: two frames; then this one. */
static void *work(void *unused)
{
    pairs(FRAMES - 4);
    return unused;
}

static double cost(unsigned threads)
{
    pthread_t ids[THREADS_MAX];
    double start = cpu_ns();
    for (unsigned i = 0; i < threads; i++) {
        if (pthread_create(&ids[i], NULL, work, NULL) != 0) {
            exit(EXIT_FAILURE);
        }
    }
    for (unsigned i = 0; i < threads; i++) {
        pthread_join(ids[i], NULL);
    }
    return (cpu_ns() - start) / PAIRS / threads;
}

static __attribute__((noinline)) void *block_of(unsigned bits, unsigned frames)
{
    void *block;
    if (frames == 0) {
        block = malloc(32);
    } else if (bits & 1U) {
        block = block_of(bits >> 1, frames - 1);
        __asm__ volatile("");
    } else {
        block = block_of(bits >> 1, frames - 1); /* another call: another stack */
        __asm__ volatile("nop");
    }
    return block;
}

static int print_memory(unsigned choices)
{
    if (choices > CHOICES_MAX || begin("exact") != 0) {
        return EXIT_FAILURE;
    }
    for (unsigned i = 0; i < LIVE; i++) {
        void *block = block_of(i, choices);
        __asm__ volatile("" : : "r"(block) : "memory"); /* kept, on purpose */
    }
    printf("%.1f\n", (double)own_bytes() / LIVE);
    return EXIT_SUCCESS;
}

int main(int count, char **arguments)
{
    if (count == 3 && strcmp(arguments[1], "blocks") == 0) {
        return print_memory((unsigned)strtoul(arguments[2], NULL, 10));
    }
    unsigned threads = count == 3 ? (unsigned)strtoul(arguments[2], NULL, 10) : 0;
    if (threads == 0 || threads > THREADS_MAX || begin(arguments[1]) != 0) {
        fprintf(stderr,
                "usage: recorder_cost bare|exact|sampled THREADS | blocks CHOICES\n");
        return 2;
    }
    double least = cost(threads);
    for (int i = 1; i < ROUNDS; i++) {
        double again = cost(threads);
        least = again < least ? again : least;
    }
    printf("%.1f\n", least);
    return EXIT_SUCCESS;
}
