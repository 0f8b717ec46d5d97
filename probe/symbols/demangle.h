/*
 * Names of C++ as a programmer writes them: "_ZN4shop5Order3addEi" is shop::Order::add.
 * The program's own libstdc++ knows how; in a program without it there are no such
 * names.
 */
#ifndef PROBE_SYMBOLS_DEMANGLE_H
#define PROBE_SYMBOLS_DEMANGLE_H

#include <stddef.h>

/* The readable form of a name, without parameters and template arguments, as pprof
 * shows it by default; the name itself if it is not one of C++. `name` must stay where
 * it is until the process ends, as the result does. Call it under a lock: libstdc++
 * allocates. */
const char *probe_demangle(const char *name);

/* Shortens a name as libstdc++ gives it, in place. */
void probe_demangle_shorten(char *name);

#endif
