/*
 * Two ways to clean up. A defer stack is like Go's defer: the function that owns it
 * runs its clean-ups at its end, last first. DEFER_CLOSE_FILE and DEFER_FREE clean up
 * when a variable goes out of scope, which in a loop is the end of each iteration.
 */
#ifndef LAB_RUNTIME_DEFER_H
#define LAB_RUNTIME_DEFER_H

#include <stdio.h>

/* One clean-up that is still to run. */
struct defer_item {
    void (*function)(void *argument);
    void *argument;
    struct defer_item *next;
};

/* A local variable of the function that runs it; { 0 } is empty. */
struct defer_stack {
    struct defer_item *top;
};

/* Puts function(argument) on the stack. The caller owns `item`, which is in use
 * until defer_run. */
void defer_push(struct defer_stack *stack, struct defer_item *item,
                void (*function)(void *argument), void *argument);

/* Runs all clean-ups, last pushed first, and leaves the stack empty. */
void defer_run(struct defer_stack *stack);

/* Declared before a variable: `DEFER_CLOSE_FILE FILE *file = fopen(...)` closes it, if
 * it is not NULL, when the variable goes out of scope (gcc and clang: cleanup). */
#define DEFER_CLOSE_FILE __attribute__((cleanup(defer_close_file)))
#define DEFER_FREE __attribute__((cleanup(defer_free)))

void defer_close_file(FILE **file);
void defer_free(void *pointer_to_pointer);

#endif
