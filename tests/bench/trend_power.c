/*
 * Prints how often leakcheck's trend test is right, on simulated servers: the rate of
 * leaks that it finds, of false alarms, and of runs without a verdict.
 */
#include <stdio.h>
#include <stdlib.h>

#include "tests/unit/trend_simulation.h"

static void servers_print(const char *title, const struct simulated *servers,
                          size_t count, unsigned runs)
{
    static const size_t rounds[] = {12, 20, 40};
    printf("%-36s  12 rounds          20 rounds          40 rounds\n", title);
    printf("%-36s  leaks holds  none  leaks holds  none  leaks holds  none\n", "");
    for (size_t i = 0; i < count; i++) {
        printf("%-36s", servers[i].name);
        for (size_t j = 0; j < sizeof(rounds) / sizeof(rounds[0]); j++) {
            unsigned counts[3];
            simulated_count(&servers[i], rounds[j], runs, counts);
            printf(" %6.1f%6.1f%6.1f", 100.0 * counts[TREND_GROWS] / runs,
                   100.0 * counts[TREND_HOLDS] / runs,
                   100.0 * counts[TREND_UNCLEAR] / runs);
        }
        putchar('\n');
    }
}

int main(int argc, char **argv)
{
    unsigned runs = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 1000;
    if (runs == 0) {
        fputs("usage: trend_power [RUNS]\n", stderr);
        return 2;
    }
    printf("%% of %u runs, rounds of %d calls (of sampled profiles: 500);\n"
           "as many rounds again if the answer is open\n",
           runs, SIMULATED_CALLS);
    servers_print("leaks", simulated_leaks,
                  sizeof(simulated_leaks) / sizeof(simulated_leaks[0]), runs);
    servers_print("no leaks", simulated_clean,
                  sizeof(simulated_clean) / sizeof(simulated_clean[0]), runs);
    return 0;
}
