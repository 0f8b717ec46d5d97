/*
 * The C library's function behind one that we replace.
 */
#ifndef PROBE_PRELOAD_REAL_FUNCTION_H
#define PROBE_PRELOAD_REAL_FUNCTION_H

#include <stdatomic.h>
#include <stddef.h>

struct real_function {
    const char *name;
    _Atomic(void *) address; /* NULL: not looked for yet */
};

/* Looks for the function in the libraries after ours. If there is none, returns a
 * function that fails with ENOSYS. Keeps errno. */
void *probe_real_find(struct real_function *real);

static inline void *probe_real(struct real_function *real)
{
    void *address = atomic_load_explicit(&real->address, memory_order_relaxed);
    return address != NULL ? address : probe_real_find(real);
}

/* Looks for all functions that PROBE_REAL names, in any file: dlsym must not be called
 * in a signal handler, nor in the child of vfork. One that is not there is looked for
 * again when it is called: its library may be loaded later. */
void probe_real_find_all(void);

/* Defines NAME_real(), which returns the C library's function NAME. The linker puts all
 * that is in a section side by side: probe_real_find_all finds it there. */
#define PROBE_REAL(function)                                                           \
    static struct real_function function##_function                                    \
        __attribute__((section("probe_real_functions"), used)) = {.name = #function};  \
    static inline __typeof__(&(function)) function##_real(void)                        \
    {                                                                                  \
        return (__typeof__(&(function)))probe_real(&function##_function);              \
    }

/* A function of the C library that a program calls in place of our own. */
#define PROBE_EXPORT __attribute__((visibility("default")))

#endif
