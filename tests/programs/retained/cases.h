/*
 * What the programs of this folder have in common. Each has some cases: a function that
 * makes blocks and leaves them with a holder. Above it stands what the profile must
 * say, from the allocation to the holder:
 *
 *   OBJECTS: BYTES @ FUNCTION < FUNCTION < HOLDER
 *
 * The arguments are the cases to run; then a line of the standard input is one more.
 * After each it says "done NAME". It ends with the input.
 */
#ifndef RETAINED_CASES_H
#define RETAINED_CASES_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define APART __attribute__((noinline))

struct held_case {
    const char *name;
    void (*run)(void);
    bool in_main; /* on the main thread; else on one that has ended since, so that its
                     stack holds nothing */
};

/* The C library's own buffers would be blocks of whichever function writes first. */
static char said[4096];
static char heard[4096];

__attribute__((constructor)) static void buffers_set(void)
{
    setvbuf(stdout, said, _IOFBF, sizeof(said));
    setvbuf(stdin, heard, _IOFBF, sizeof(heard));
}

/* Overwrites what earlier calls have left on the stack. */
__attribute__((noinline, unused)) static void stack_wipe(void)
{
    volatile char nothing[4096];
    for (size_t i = 0; i < sizeof(nothing); i++) {
        nothing[i] = 0;
    }
}

/* Says where a block is that a function has allocated. */
static inline void *told(const char *function, void *block)
{
    if (block == NULL) {
        abort();
    }
    printf("block %s %p\n", function, block);
    return block;
}

#define TOLD(block) told(__func__, block)

static inline void *case_thread(void *argument)
{
    ((const struct held_case *)argument)->run();
    return NULL;
}

static inline void case_run(const struct held_case *cases, size_t count,
                            const char *name)
{
    pthread_t thread;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(cases[i].name, name) != 0) {
            continue;
        }
        if (cases[i].in_main) {
            cases[i].run();
        } else if (pthread_create(&thread, NULL, case_thread, (void *)&cases[i]) != 0 ||
                   pthread_join(thread, NULL) != 0) {
            abort();
        }
        printf("done %s\n", name);
        fflush(stdout);
        return;
    }
    fprintf(stderr, "there is no case %s\n", name);
    exit(2);
}

static inline int cases_main(const struct held_case *cases, size_t count, int argc,
                             char **argv)
{
    char line[64];
    for (int i = 1; i < argc; i++) {
        case_run(cases, count, argv[i]);
    }
    while (fgets(line, sizeof(line), stdin) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        case_run(cases, count, line);
    }
    return 0;
}

#endif
