/*
 * What the attributes of a thread say about what is left when it ends.
 */
#ifndef PROBE_RESOURCES_THREAD_ATTRIBUTES_H
#define PROBE_RESOURCES_THREAD_ATTRIBUTES_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

struct thread_attributes {
    bool detached;
    size_t stack_most; /* bytes: no more of the mapping around it can be its stack;
                          SIZE_MAX: the whole mapping is */
};

/* Reads them; NULL stands for the default ones, which the program may have set. */
struct thread_attributes probe_thread_attributes(const pthread_attr_t *attributes);

#endif
