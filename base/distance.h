/*
 * How much two words differ: for "did you mean ...?".
 */
#ifndef BASE_DISTANCE_H
#define BASE_DISTANCE_H

#include <stddef.h>

/* The Levenshtein distance: how many characters must be put in, taken out or changed.
 * Only the first 63 characters of each count. */
size_t text_distance(const char *a, const char *b);

#endif
