/*
 * A module is what symbols are read of: a mapping of code.
 */
#ifndef PROBE_SYMBOLS_MODULE_H
#define PROBE_SYMBOLS_MODULE_H

#include <stdint.h>

/* A part of the program, of a library, or the kernel's [vdso]. */
struct module {
    uintptr_t start;
    uintptr_t end;
    uint64_t offset; /* of `start` in the file, in bytes */
    const char *path;
    const char *build_id; /* in hexadecimal, "" if there is none */
};

#endif
