/*
 * A module is one mapping of code whose symbols are read: a part of the program, of a
 * library, or of the kernel's [vdso].
 */
#ifndef PROBE_SYMBOLS_MODULE_H
#define PROBE_SYMBOLS_MODULE_H

#include <stdint.h>

struct module {
    uintptr_t start;
    uintptr_t end;
    uint64_t offset; /* of `start` in the file, in bytes */
    const char *path;
    const char *build_id; /* in hexadecimal; "" if there is none */
};

#endif
