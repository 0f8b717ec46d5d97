/*
 * Parses whole numbers in texts from outside: an option, a parameter, a line of a
 * profile. Only digits are accepted: no sign, no blank, nothing that depends on the
 * locale.
 */
#ifndef BASE_NUMBER_H
#define BASE_NUMBER_H

#include <stdint.h>

/* Parses a text that is one decimal number. Returns 0, -EINVAL if it is not a number,
 * or -ERANGE if the number is less than `least` or more than `most`. */
int number_parse(const char *text, uint64_t least, uint64_t most, uint64_t *ret_number);

/* Parses a text that is one size in bytes: a decimal number, and perhaps K, M or G (or
 * in lower case) for KiB, MiB or GiB. Returns the same as number_parse. */
int number_parse_size(const char *text, uint64_t least, uint64_t most,
                      uint64_t *ret_bytes);

/* Reads the decimal digits at the start of a text, which ends at `end` (NULL: at its
 * '\0'). Returns the address after the digits; NULL if there are none, or if the number
 * does not fit into 64 bits. */
const char *number_scan(const char *text, const char *end, uint64_t *ret_number);

/* The same for hexadecimal digits in upper or lower case, without "0x". */
const char *number_scan_hex(const char *text, const char *end, uint64_t *ret_number);

/* The value of a hexadecimal digit in upper or lower case; -1 for other characters. */
int number_hex_digit(char character);

#endif
