/*
 * A library whose constructor allocates a block, which later is all that holds another
 * one: from early_store, which a program calls, or from the first listen of a server
 * that it is preloaded into.
 */
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define HELD_BYTES 4321

void **early_holder;

__attribute__((constructor)) static void begin(void)
{
    early_holder = calloc(1, 64);
}

static __attribute__((noinline)) void store(int place)
{
    if (early_holder[place] == NULL) {
        early_holder[place] = memset(malloc(HELD_BYTES), 'x', HELD_BYTES);
    }
}

void early_store(void)
{
    store(0);
}

/* leakprobe calls it too, in the probe: what is allocated there is not recorded. */
int listen(int fd, int backlog)
{
    int (*next)(int, int) = __extension__(int (*)(int, int)) dlsym(RTLD_NEXT, "listen");
    store(1);
    return next(fd, backlog);
}
