/* A thread's stack for its signal handlers: who takes stacks must know a small one. */
#include <signal.h>
#include <stddef.h>

#include "probe/calls/real_function.h"
#include "probe/recorder/unwinder.h"

PROBE_REAL(sigaltstack)

PROBE_EXPORT int sigaltstack(const stack_t *stack, stack_t *ret_before)
{
    int result = sigaltstack_real()(stack, ret_before);
    if (result == 0 && stack != NULL) {
        probe_unwinder_handler_stack(stack);
    }
    return result;
}
