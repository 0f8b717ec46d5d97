/*
 * Where a call goes is what the loader finds for the name. In a program at fixed
 * addresses the loader may find the program's own jump to the function, whose symbol
 * is undefined there: the function itself is then the next one in the loader's order.
 */
#include "probe/process/allocator.h"

#include <dlfcn.h>
#include <link.h>
#include <pthread.h>
#include <stddef.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static bool is_glibc;

/* Whether the address that was found leads on to the next function of that name: it is
 * one of this file, which calls the next, or a jump. */
static bool leads_on(const void *found)
{
    Dl_info here;
    Dl_info there;
    const ElfW(Sym) *symbol = NULL;
    if (dladdr((void *)leads_on, &here) == 0 ||
        dladdr1(found, &there, (void **)&symbol, RTLD_DL_SYMENT) == 0) {
        return false;
    }
    return here.dli_fbase == there.dli_fbase ||
           (symbol != NULL && symbol->st_shndx == SHN_UNDEF);
}

/* Whether a call of the function reaches the one of `libc`. */
static bool reaches(void *libc, const char *name)
{
    const void *found = dlsym(RTLD_DEFAULT, name);
    if (found != NULL && leads_on(found)) {
        found = dlsym(RTLD_NEXT, name);
    }
    return found != NULL && found == dlsym(libc, name);
}

static void look(void)
{
    void *libc = dlopen("libc.so.6", RTLD_LAZY | RTLD_NOLOAD);
    if (libc != NULL) {
        is_glibc = reaches(libc, "malloc") && reaches(libc, "free");
        dlclose(libc);
    }
}

bool probe_allocator_is_glibc(void)
{
    pthread_once(&once, look);
    return is_glibc;
}
