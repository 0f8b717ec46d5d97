/*
 * Which of the mapped files have no symbol table, and what brings one: a part of the
 * page /debug/pprof/. Such files name only the functions that they export.
 */
#ifndef PROBE_SYMBOLS_SYMBOLS_MISSING_H
#define PROBE_SYMBOLS_SYMBOLS_MISSING_H

#include "base/buffer.h"

/* Appends a section of HTML; nothing if all files have symbols. Opens every mapped file
 * and, on Debian and its like, reads the lists of packages. */
void probe_symbols_missing_add(struct buffer *html);

#endif
