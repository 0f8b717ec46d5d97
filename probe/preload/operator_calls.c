/*
 * C++'s operators new and delete, by their names in the Itanium ABI. libstdc++'s call
 * malloc and free; those of an allocator such as tcmalloc do not. Either way a block is
 * noted once, with the bytes that the program wanted and without the operator's own
 * frames. A program that defines the operators itself never comes here.
 */
#include <dlfcn.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "probe/calls/real_function.h"
#include "probe/preload/malloc_calls.h"
#include "probe/recorder/inside.h"

/* The real function; NULL if there is none. A plug-in may bring the C++ library with
 * it: then it does not stand behind us in the loader's order, but is loaded. */
static void *look_up(const char *name)
{
    static const char *const libraries[] = {"libstdc++.so.6", "libc++.so.1"};
    probe_inside++;
    void *function = dlsym(RTLD_NEXT, name);
    for (size_t i = 0; i < 2 && function == NULL; i++) {
        void *library = dlopen(libraries[i], RTLD_LAZY | RTLD_NOLOAD);
        function = library == NULL ? NULL : dlsym(library, name);
    }
    probe_inside--;
    return function;
}

/* The same, looked up once. */
static void *find(void *_Atomic *cache, const char *name)
{
    static char absent;
    void *function = atomic_load_explicit(cache, memory_order_relaxed);
    if (function == NULL) {
        function = look_up(name);
        if (function == NULL) {
            function = &absent;
        }
        atomic_store_explicit(cache, function, memory_order_relaxed);
    }
    return function == &absent ? NULL : function;
}

/* Runs also when operator new ends by an exception: see -fexceptions in the Makefile.
 */
static void forget(const bool *began)
{
    if (*began) {
        probe_malloc_outer_end(NULL);
    }
}

/* For a plug-in into which the C++ library was linked statically: its own operators
 * cannot be found. Such memory can be freed by any operator delete. */
static void *replacement(size_t bytes, size_t alignment)
{
    size_t some = bytes == 0 ? 1 : bytes;
    void *block = NULL;
    if (alignment == 0) {
        block = malloc(some);
    } else if (posix_memalign(&block, alignment, some) != 0) {
        block = NULL;
    }
    return block;
}

/* What an operator that throws does when there is no memory, and no C++ library when it
 * was looked for first. */
static void *look_again(const char *name)
{
    void *function = look_up(name);
    if (function == NULL) {
        abort();
    }
    return function;
}

/* NOLINTBEGIN(bugprone-macro-parentheses): lists of arguments are in their own */
/* Defines one of the operators new. `parameters` and `arguments` are those of the
 * function, whose first is `bytes`; without `throws` the caller looks for NULL. */
#define NEW(name, parameters, arguments, alignment_or_0, throws)                       \
    void *name parameters;                                                             \
    PROBE_EXPORT void *name parameters                                                 \
    {                                                                                  \
        static void *_Atomic cache;                                                    \
        void *(*next)parameters =                                                      \
            __extension__(void *(*)parameters) find(&cache, #name);                    \
        bool began __attribute__((cleanup(forget))) = probe_malloc_outer_begin(        \
            (struct outer_call){__builtin_frame_address(0), bytes});                   \
        void *block =                                                                  \
            next != NULL ? next arguments : replacement(bytes, alignment_or_0);        \
        if (block == NULL && next == NULL && (throws)) {                               \
            next = __extension__(void *(*)parameters) look_again(#name);               \
            block = next arguments;                                                    \
        }                                                                              \
        if (began) {                                                                   \
            probe_malloc_outer_end(block);                                             \
            began = false;                                                             \
        }                                                                              \
        return block;                                                                  \
    }

#define DELETE(name, parameters, arguments)                                            \
    void name parameters;                                                              \
    PROBE_EXPORT void name parameters                                                  \
    {                                                                                  \
        static void *_Atomic cache;                                                    \
        void(*next) parameters =                                                       \
            __extension__(void(*) parameters) find(&cache, #name);                     \
        const void *before = probe_malloc_delete_begin(block);                         \
        if (next != NULL) {                                                            \
            next arguments;                                                            \
        } else {                                                                       \
            free(block);                                                               \
        }                                                                              \
        probe_malloc_delete_end(before);                                               \
    }

/* NOLINTEND(bugprone-macro-parentheses) */

/* nothrow is a constant of the type std::nothrow_t, passed by reference. */
NEW(_Znwm, (size_t bytes), (bytes), 0, true)
NEW(_Znam, (size_t bytes), (bytes), 0, true)
NEW(_ZnwmRKSt9nothrow_t, (size_t bytes, const void *nothrow), (bytes, nothrow), 0,
    false)
NEW(_ZnamRKSt9nothrow_t, (size_t bytes, const void *nothrow), (bytes, nothrow), 0,
    false)
NEW(_ZnwmSt11align_val_t, (size_t bytes, size_t alignment), (bytes, alignment),
    alignment, true)
NEW(_ZnamSt11align_val_t, (size_t bytes, size_t alignment), (bytes, alignment),
    alignment, true)
NEW(_ZnwmSt11align_val_tRKSt9nothrow_t,
    (size_t bytes, size_t alignment, const void *nothrow), (bytes, alignment, nothrow),
    alignment, false)
NEW(_ZnamSt11align_val_tRKSt9nothrow_t,
    (size_t bytes, size_t alignment, const void *nothrow), (bytes, alignment, nothrow),
    alignment, false)

DELETE(_ZdlPv, (void *block), (block))
DELETE(_ZdaPv, (void *block), (block))
DELETE(_ZdlPvm, (void *block, size_t bytes), (block, bytes))
DELETE(_ZdaPvm, (void *block, size_t bytes), (block, bytes))
DELETE(_ZdlPvRKSt9nothrow_t, (void *block, const void *nothrow), (block, nothrow))
DELETE(_ZdaPvRKSt9nothrow_t, (void *block, const void *nothrow), (block, nothrow))
DELETE(_ZdlPvSt11align_val_t, (void *block, size_t alignment), (block, alignment))
DELETE(_ZdaPvSt11align_val_t, (void *block, size_t alignment), (block, alignment))
DELETE(_ZdlPvmSt11align_val_t, (void *block, size_t bytes, size_t alignment),
       (block, bytes, alignment))
DELETE(_ZdaPvmSt11align_val_t, (void *block, size_t bytes, size_t alignment),
       (block, bytes, alignment))
DELETE(_ZdlPvSt11align_val_tRKSt9nothrow_t,
       (void *block, size_t alignment, const void *nothrow),
       (block, alignment, nothrow))
DELETE(_ZdaPvSt11align_val_tRKSt9nothrow_t,
       (void *block, size_t alignment, const void *nothrow),
       (block, alignment, nothrow))
