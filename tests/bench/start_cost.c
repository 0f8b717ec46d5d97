/*
 * Prints how many microseconds lie between the first constructor of the process and
 * main: what a preloaded library takes at the start. Compiled twice: with -DFIRST as a
 * library whose constructor is the first (-z initfirst), and as a program that uses it.
 */
#include <stdint.h>
#include <stdio.h>
#include <time.h>

int64_t start_cost_begin(void);

static inline int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

#ifdef FIRST
static int64_t begin_ns;

__attribute__((constructor)) static void note(void)
{
    begin_ns = now_ns();
}

int64_t start_cost_begin(void)
{
    return begin_ns;
}
#else
int main(void)
{
    int64_t taken = now_ns() - start_cost_begin();
    printf("%.1f\n", (double)taken / 1000);
    return 0;
}
#endif
