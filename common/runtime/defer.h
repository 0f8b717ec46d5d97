/*
 * Two ways to clean up. A defer stack runs its clean-ups, last first, when the function
 * that owns it says so, at its end: Go's defer. DEFER_CLOSE_FILE and its like run when
 * the variable goes out of scope, which in a loop is the end of each turn.
 */
#ifndef LAB_RUNTIME_DEFER_H
#define LAB_RUNTIME_DEFER_H

#include <stdio.h>

/* One clean-up that waits for its time. */
struct defer_item {
    void (*function)(void *argument);
    void *argument;
    struct defer_item *next;
};

/* Lives on the stack of the function whose end it waits for; { 0 } is empty. */
struct defer_stack {
    struct defer_item *top;
};

/* Puts function(argument) on the stack. `item` is the caller's and stays in use until
 * defer_run. */
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
