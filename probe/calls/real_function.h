/*
 * The C library's function behind one that we replace.
 */
#ifndef PROBE_CALLS_REAL_FUNCTION_H
#define PROBE_CALLS_REAL_FUNCTION_H

#include <stdatomic.h>
#include <stddef.h>

struct real_function {
    const char *name;
    const char *library;     /* where else it may be; NULL: only the C library has it */
    _Atomic(void *) address; /* NULL: not looked for yet */
};

/* Looks for the function in the libraries after ours, then in `library`, which may have
 * been loaded out of their sight. If there is none, returns a function that fails with
 * ENOSYS. Keeps errno. */
void *probe_real_find(struct real_function *real);

static inline void *probe_real(struct real_function *real)
{
    void *address = atomic_load_explicit(&real->address, memory_order_relaxed);
    return address != NULL ? address : probe_real_find(real);
}

/* Looks for all functions that PROBE_REAL names, in any file: dlsym must not be called
 * in a signal handler, nor in the child of vfork. One that is not there is looked for
 * again when it is called: its library may be loaded later. One that was found early,
 * in another way, is found in this way now. */
void probe_real_find_all(void);

/* Defines NAME_real(), which returns the C library's function NAME; the third, that of
 * another library; the second does without that function. The linker puts all that is
 * in a section side by side: probe_real_find_all finds the pointers there. */
#define PROBE_REAL(function) PROBE_REAL_OF(function, NULL)
#define PROBE_REAL_ENTRY(function, other_library)                                      \
    static struct real_function function##_function = {.name = #function,              \
                                                       .library = (other_library)};    \
    static struct real_function *const function##_entry                                \
        __attribute__((section("probe_real_functions"), used)) = &function##_function;
#define PROBE_REAL_OF(function, other_library)                                         \
    PROBE_REAL_ENTRY(function, other_library)                                          \
    static inline __typeof__(&(function)) function##_real(void)                        \
    {                                                                                  \
        return (__typeof__(&(function)))probe_real(&function##_function);              \
    }

/* Marks a function that the program finds in place of the C library's. All others of
 * the library are hidden. Its name is in exports.map too. The functions are side by
 * side (calls.h): their frames are left out of the threads' stacks. */
#define PROBE_EXPORT __attribute__((visibility("default"), section("probe_calls")))

/* The same for a function that such a one calls, and that is on the stack meanwhile. */
#define PROBE_HIDDEN_FRAME __attribute__((noinline, section("probe_calls")))

#endif
