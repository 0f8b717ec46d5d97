/*
 * Strings that are kept until the process ends, close together in memory from mmap.
 */
#ifndef PROBE_SYMBOLS_KEPT_TEXT_H
#define PROBE_SYMBOLS_KEPT_TEXT_H

/* Returns a copy of the text, which stays where it is; NULL when memory is short, or
 * when 32 MiB are kept. Call it under a lock. */
const char *probe_text_keep(const char *text);

#endif
