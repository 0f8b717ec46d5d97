/*
 * Functions of the C library that the probe puts itself in front of.
 */
#ifndef PROBE_PRELOAD_EXPORT_H
#define PROBE_PRELOAD_EXPORT_H

#include <dlfcn.h>
#include <stddef.h>

/* Marks a function that the program finds in place of the C library's. All others of
 * the library are hidden. Its name is in exports.map too. */
#define EXPORT __attribute__((visibility("default")))

/* The function behind ours: the next one of that name in the loader's order, which is
 * the C library's unless another library stands in front of it too. ISO C has no cast
 * from void * to a function; POSIX asks for this one. */
#define NEXT(name) __extension__(__typeof__(&name)) dlsym(RTLD_NEXT, #name)

#endif
