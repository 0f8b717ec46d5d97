#include "cases.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int is_once;

void *case_fill(void *block, size_t bytes)
{
    case_need(block != NULL, "memory");
    memset(block, 'x', bytes);
    return block;
}

NOINLINE int case_use_stack(void)
{
    static _Thread_local volatile size_t i; /* the area is all of its frame */
    volatile char area[32 * 1024];
    for (i = 0; i < sizeof(area); i++) {
        area[i] = 0;
    }
    return area[0];
}

static NOINLINE void end_await(void)
{
    char byte;
    while (!is_once && read(STDIN_FILENO, &byte, 1) > 0) {
    }
    exit(0);
}

/* No printf: it would allocate. */
NOINLINE void case_wait(int nothing)
{
    case_need(nothing == 0 && write(STDOUT_FILENO, "ready\n", 6) == 6,
              "standard output");
    end_await();
}

void case_need(int condition, const char *what)
{
    if (!condition) {
        perror(what);
        exit(3);
    }
}

static void amounts_print(const struct lost_case *one, const char *kind,
                          const struct case_amount *amounts)
{
    for (int i = 0; i < CASE_AMOUNTS && amounts[i].function != NULL; i++) {
        printf("%s %s %s %d %d %d %d\n", one->name, kind, amounts[i].function,
               amounts[i].objects, amounts[i].bytes, amounts[i].direct_objects,
               amounts[i].direct_bytes);
    }
}

int cases_main(int count, char **arguments, const struct lost_case *cases)
{
    const char *wanted = count > 1 ? arguments[1] : "";
    is_once = count > 2 && strcmp(arguments[2], "once") == 0;
    for (const struct lost_case *one = cases; one->name != NULL; one++) {
        if (strcmp(wanted, "list") == 0) {
            amounts_print(one, "lost", one->lost);
            amounts_print(one, "kept", one->kept);
        } else if (strcmp(wanted, one->name) == 0) {
            one->run();
        }
    }
    if (strcmp(wanted, "list") != 0) {
        fprintf(stderr, "usage: %s list | CASE [once]\n", arguments[0]);
        return 2;
    }
    return 0;
}
