/*
 * The compiler passes a clean-up function the address of the variable, hence the
 * pointers to pointers.
 */
#include "runtime/defer.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

void defer_push(struct defer_stack *stack, struct defer_item *item,
                void (*function)(void *argument), void *argument)
{
    assert(function != NULL);
    item->function = function;
    item->argument = argument;
    item->next = stack->top;
    stack->top = item;
}

void defer_run(struct defer_stack *stack)
{
    while (stack->top != NULL) {
        /* Off the stack first: a clean-up may free its item, or push another. */
        struct defer_item item = *stack->top;
        stack->top = item.next;
        item.function(item.argument);
    }
}

void defer_close_file(FILE **file)
{
    if (*file != NULL) {
        fclose(*file);
    }
}

void defer_free(void *pointer_to_pointer)
{
    /* The variable is a pointer of some other type. C does not allow reading it through
     * a void **, but its bytes may be copied. */
    void *pointer;
    memcpy(&pointer, pointer_to_pointer, sizeof(pointer));
    free(pointer);
}
