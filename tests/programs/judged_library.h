/*
 * What judged.c calls in the library judged_library.so.
 */
#ifndef PROGRAMS_JUDGED_LIBRARY_H
#define PROGRAMS_JUDGED_LIBRARY_H

/* Keeps a copy of the text for ever. Returns 0, or -1 without memory. */
int library_remember(const char *text);

#endif
