/*
 * Small programs with known answers to "what is lost?". A program has a few cases, of
 * which an argument chooses one:
 *
 *     PROGRAM list         the known answers: CASE lost|kept FUNCTION OBJECTS BYTES
 *                          DIRECT_OBJECTS DIRECT_BYTES, a line each
 *     PROGRAM CASE         does it, prints "ready", waits for the end of its input
 *     PROGRAM CASE once    does it and ends at once
 *
 * It ends with status 0, in the midst of the case, and frees nothing. Whatever is lost
 * comes from a function lose_..., what must not be lost from a function keep_... .
 */
#ifndef TESTS_LOST_CASES_H
#define TESTS_LOST_CASES_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CASE_AMOUNTS 3
#define NOINLINE __attribute__((noinline))

struct case_amount {
    const char *function;
    int objects;
    int bytes;
    int direct_objects; /* of what is lost: those that no other lost block points to */
    int direct_bytes;
};

#define LOST(function, objects, bytes, direct_objects, direct_bytes)                   \
    {                                                                                  \
        function, objects, bytes, direct_objects, direct_bytes                         \
    }
#define KEPT(function, objects, bytes)                                                 \
    {                                                                                  \
        function, objects, bytes, 0, 0                                                 \
    }

struct lost_case {
    const char *name;
    void (*run)(void); /* ends with case_ready */
    struct case_amount lost[CASE_AMOUNTS];
    struct case_amount kept[CASE_AMOUNTS];
};

/* Writes to all of a block, so that the compiler cannot leave it out; returns it. */
void *case_fill(void *block, size_t bytes);

/* Uses the stack below the caller's frame again, as other calls would. */
void case_use_stack(void);

/* The state is as it is to be seen. Does not return, which the compiler does not know:
 * what the caller has is still in use. */
void case_ready(void);

/* Ends the program with a message if the condition does not hold. */
void case_need(int condition, const char *what);

/* The main function of a program with these cases; the last one has no name. */
int cases_main(int count, char **arguments, const struct lost_case *cases);

#ifdef __cplusplus
}
#endif

#endif
