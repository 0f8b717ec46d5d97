/*
 * Text from outside, which may be any bytes: what in it are characters of UTF-8.
 */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stddef.h>

/* How many bytes the character at the start of `bytes` has; 0 if it is not a valid one
 * (RFC 3629: no longer than needed, no surrogates, at most U+10FFFF). `length` is at
 * least 1. */
size_t utf8_character_bytes(const unsigned char *bytes, size_t length);

/* Puts a '?' in the place of each control character, and of each byte that is not part
 * of a valid character: then the text is one line. */
void utf8_clean(char *text, size_t length);

#endif
