/*
 * dlsym with RTLD_NEXT finds the newest version of a function: for pthread_cond_wait
 * that is the one of today's programs.
 */
#include "probe/calls/real_function.h"

#include <dlfcn.h>
#include <errno.h>

#include "probe/recorder/inside.h"

static long function_missing(void)
{
    errno = ENOSYS;
    return -1;
}

void *probe_real_find(struct real_function *real)
{
    int saved = errno;
    probe_inside++; /* dlsym may call malloc */
    void *address = dlsym(RTLD_NEXT, real->name);
    if (address == NULL && real->library != NULL) {
        void *library = dlopen(real->library, RTLD_LAZY | RTLD_NOLOAD);
        address = library == NULL ? NULL : dlsym(library, real->name);
    }
    probe_inside--;
    errno = saved;
    if (address == NULL) {
        return (void *)function_missing;
    }
    atomic_store_explicit(&real->address, address, memory_order_relaxed);
    return address;
}

/* The begin and the end of the section; the linker defines them. */
extern struct real_function *const
    probe_real_first[] __asm__("__start_probe_real_functions")
        __attribute__((visibility("hidden")));
extern struct real_function *const
    probe_real_end[] __asm__("__stop_probe_real_functions")
        __attribute__((visibility("hidden")));

void probe_real_find_all(void)
{
    /* Both are in one section. */
    /* cppcheck-suppress comparePointers */
    for (struct real_function *const *real = probe_real_first; real < probe_real_end;
         real++) {
        probe_real_find(*real);
    }
}
