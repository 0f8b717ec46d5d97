#include "probe/resources/thread_attributes.h"

#include <stdint.h>

/* A stack that the program has brought, or without a guard page, may be in one mapping
 * with other memory. */
static size_t stack_most(const pthread_attr_t *attributes)
{
    void *stack = NULL;
    size_t bytes = 0;
    size_t guard = 0;
    pthread_attr_getguardsize(attributes, &guard);
    pthread_attr_getstack(attributes, &stack, &bytes);
    /* Without a stack of the program's its end is said to be at address 0. */
    bool mapped_alone = (uintptr_t)stack + bytes == 0 && guard > 0;
    if (mapped_alone) {
        return SIZE_MAX;
    }
    pthread_attr_getstacksize(attributes, &bytes);
    return bytes;
}

static struct thread_attributes attributes_read(const pthread_attr_t *attributes)
{
    int detached = PTHREAD_CREATE_JOINABLE;
    pthread_attr_getdetachstate(attributes, &detached);
    return (struct thread_attributes){
        .detached = detached == PTHREAD_CREATE_DETACHED,
        .stack_most = stack_most(attributes),
    };
}

struct thread_attributes probe_thread_attributes(const pthread_attr_t *attributes)
{
    pthread_attr_t defaults;
    struct thread_attributes read = {.stack_most = SIZE_MAX};
    if (attributes != NULL) {
        read = attributes_read(attributes);
    } else if (pthread_getattr_default_np(&defaults) == 0) {
        read = attributes_read(&defaults);
        pthread_attr_destroy(&defaults);
    }
    return read;
}
