/*
 * Whole numbers in texts that come from outside: an option, a parameter, a line of a
 * profile. Digits only: no sign, no blank, nothing that depends on the locale.
 */
#ifndef BASE_NUMBER_H
#define BASE_NUMBER_H

#include <stdint.h>

/* Reads a text that is one decimal number. Returns 0; -EINVAL if it is no number;
 * -ERANGE if the number is not from `least` to `most`. */
int number_parse(const char *text, uint64_t least, uint64_t most, uint64_t *ret_number);

/* Reads a text that is one size in bytes: a decimal number, with K, M or G (also in
 * lower case) behind it for that power of 1024. Returns as number_parse. */
int number_parse_size(const char *text, uint64_t least, uint64_t most,
                      uint64_t *ret_bytes);

/* Reads the decimal digits at the start of a text. `end` is where the text ends; NULL:
 * at its '\0'. Returns what follows the digits; NULL if there are none or the number
 * has no room in 64 bits. */
const char *number_scan(const char *text, const char *end, uint64_t *ret_number);

/* The same for hexadecimal digits in either case, without "0x". */
const char *number_scan_hex(const char *text, const char *end, uint64_t *ret_number);

/* The value of a hexadecimal digit in either case; -1 if it is none. */
int number_hex_digit(char character);

#endif
