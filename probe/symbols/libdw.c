/*
 * RTLD_LOCAL keeps the library's names away from the program, and RTLD_DEEPBIND the
 * program's away from the library: a program may export an `inflate` of its own. Only
 * where all allocate alike: the library would otherwise free by the C library's
 * allocator what the C library itself (strdup) has allocated by the program's.
 */
#include "probe/symbols/libdw.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "probe/process/allocator.h"
#include "probe/symbols/own_libraries.h"

#define LIBRARY "libdw.so.1"

/* POSIX lets dlsym's pointer be one to a function; ISO C has no conversion for it, so
 * the bytes are copied. */
static bool function_find(void *library, const char *name, void *ret_function)
{
    void *address = dlsym(library, name);
    memcpy(ret_function, &address, sizeof(address));
    return address != NULL;
}

static bool library_open(struct libdw *libdw)
{
    struct own_libraries libraries;
    int apart = probe_allocator_is_glibc() ? RTLD_DEEPBIND : 0;
    probe_own_libraries_begin(&libraries);
    void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL | apart);
    if (library == NULL) {
        return false;
    }
    bool complete = true;
#define LIBDW_FIND(name)                                                               \
    complete = function_find(library, #name, &libdw->name) && complete;
    LIBDW_FUNCTIONS(LIBDW_FIND)
#undef LIBDW_FIND
    if (complete) {
        probe_own_libraries_note(&libraries, LIBRARY);
    } else {
        dlclose(library);
    }
    return complete;
}

/* Then the library could not be opened, but may be another time. */
static bool is_out_of_descriptors(void)
{
    int fd = open("/", O_PATH | O_CLOEXEC);
    if (fd >= 0) {
        close(fd);
    }
    return fd < 0 && (errno == EMFILE || errno == ENFILE);
}

static bool tried;

const struct libdw *probe_libdw(void)
{
    static struct libdw libdw;
    static bool opened;
    if (!tried) {
        opened = library_open(&libdw);
        tried = opened || !is_out_of_descriptors();
    }
    return opened ? &libdw : NULL;
}

bool probe_libdw_may_come(void)
{
    return !tried;
}
