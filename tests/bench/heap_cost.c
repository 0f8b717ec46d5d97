/*
 * What a heap profile costs: makes OBJECTS live objects, allocated by STACKS different
 * stacks, and prints in microseconds what gperftools' own GetHeapProfile takes, what
 * the first profile.proto takes, and what a later one takes. Of many measurements the
 * fastest counts: other work on the machine can only add to it.
 *
 * usage: heap_cost OBJECTS STACKS
 */
#include <gperftools/heap-profiler.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "probe/heap/heap.h"

#define ROUNDS 41
#define STACK_BITS 12

static double now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static void *descend_left(unsigned path, unsigned bits);
static void *descend_right(unsigned path, unsigned bits);

/* The bits of `path` decide which way the calls go, so each path is another stack. */
static void *descend(unsigned path, unsigned bits)
{
    if (bits == 0) {
        return malloc(16);
    }
    return (path & 1) != 0 ? descend_left(path >> 1, bits - 1)
                           : descend_right(path >> 1, bits - 1);
}

static void *descend_left(unsigned path, unsigned bits)
{
    return descend(path, bits);
}

static void *descend_right(unsigned path, unsigned bits)
{
    return descend(path, bits);
}

static double measure_plain(void)
{
    double start = now_us();
    char *text = GetHeapProfile();
    double end = now_us();
    free(text);
    return end - start;
}

static double measure_proto(void)
{
    double start = now_us();
    struct heap_snapshot snapshot = {0};
    struct buffer buffer = {0};
    int error = probe_heap_snapshot(HEAP_VALUES_SCALED, &snapshot);
    if (error == 0) {
        error = probe_heap_snapshot_proto(&snapshot, HEAP_VIEW_INUSE, &buffer);
    }
    double end = now_us();
    probe_heap_snapshot_release(&snapshot);
    buffer_release(&buffer);
    if (error != 0) {
        fprintf(stderr, "heap_cost: no profile: error %d\n", -error);
        exit(EXIT_FAILURE);
    }
    return end - start;
}

static double fastest(const double *values)
{
    double least = values[0];
    for (size_t i = 1; i < ROUNDS; i++) {
        least = values[i] < least ? values[i] : least;
    }
    return least;
}

int main(int argc, char **argv)
{
    unsigned long objects = argc == 3 ? strtoul(argv[1], NULL, 10) : 0;
    unsigned long stacks = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;
    if (objects == 0 || stacks == 0 || stacks > 1U << STACK_BITS) {
        fprintf(stderr, "usage: heap_cost OBJECTS STACKS\n");
        return 2;
    }
    if (probe_heap_prepare(argv) != 0 || probe_heap_start(HEAP_PROFILE_EXACT, 0) != 0) {
        return EXIT_FAILURE;
    }
    void **kept = malloc(objects * sizeof(*kept));
    for (unsigned long i = 0; kept != NULL && i < objects; i++) {
        kept[i] = descend((unsigned)(i % stacks), STACK_BITS);
    }
    double plain[ROUNDS];
    double proto[ROUNDS];
    measure_plain();
    double first = measure_proto();
    for (size_t i = 0; i < ROUNDS; i++) {
        plain[i] = measure_plain();
        proto[i] = measure_proto();
    }
    printf("%.0f %.0f %.0f\n", fastest(plain), first, fastest(proto));
    return EXIT_SUCCESS;
}
