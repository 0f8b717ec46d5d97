/*
 * A function of the C library, found without the loader's help. dlsym may allocate and
 * takes locks of its own: the functions of locks cannot call it, because an allocator
 * calls them while it begins, or in the middle of its work.
 */
#ifndef PROBE_CALLS_LIBC_FUNCTION_H
#define PROBE_CALLS_LIBC_FUNCTION_H

/* The address of the function in its newest version; NULL: the C library has none of
 * this name. It takes some microseconds. May be called in a signal handler, and before
 * any constructor. */
void *probe_libc_function(const char *name);

#endif
