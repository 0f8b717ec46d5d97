/*
 * Reads one digit at a time, and checks for overflow before each.
 */
#include "base/number.h"

#include <errno.h>
#include <string.h>

int number_hex_digit(char character)
{
    if (character >= '0' && character <= '9') {
        return character - '0';
    }
    if (character >= 'a' && character <= 'f') {
        return character - 'a' + 10;
    }
    return character >= 'A' && character <= 'F' ? character - 'A' + 10 : -1;
}

/* Reads digits of base 10 or 16; see number_scan. */
static const char *digits_scan(const char *text, const char *end, int base,
                               uint64_t *ret_number)
{
    const char *at = text;
    uint64_t number = 0;
    for (; at != end; at++) {
        int digit = number_hex_digit(*at);
        if (digit < 0 || digit >= base) {
            break;
        }
        if (number > (UINT64_MAX - (uint64_t)digit) / (uint64_t)base) {
            return NULL;
        }
        number = number * (uint64_t)base + (uint64_t)digit;
    }
    if (at == text) {
        return NULL;
    }
    *ret_number = number;
    return at;
}

const char *number_scan(const char *text, const char *end, uint64_t *ret_number)
{
    return digits_scan(text, end, 10, ret_number);
}

const char *number_scan_hex(const char *text, const char *end, uint64_t *ret_number)
{
    return digits_scan(text, end, 16, ret_number);
}

/* Reads `length` bytes, which must all be digits, and shifts the number left by
 * `shift`. */
static int whole_parse(const char *text, size_t length, unsigned shift, uint64_t least,
                       uint64_t most, uint64_t *ret_number)
{
    if (length == 0 || strspn(text, "0123456789") < length) {
        return -EINVAL;
    }
    uint64_t number;
    if (number_scan(text, text + length, &number) == NULL ||
        number > UINT64_MAX >> shift) {
        return -ERANGE;
    }
    number <<= shift;
    if (number < least || number > most) {
        return -ERANGE;
    }
    *ret_number = number;
    return 0;
}

int number_parse(const char *text, uint64_t least, uint64_t most, uint64_t *ret_number)
{
    return whole_parse(text, strlen(text), 0, least, most, ret_number);
}

/* The shift for the last letter of a size, 10 for K (1024); 0 for other letters. */
static unsigned letter_shift(char letter)
{
    switch (letter) {
    case 'K':
    case 'k':
        return 10;
    case 'M':
    case 'm':
        return 20;
    case 'G':
    case 'g':
        return 30;
    default:
        return 0;
    }
}

int number_parse_size(const char *text, uint64_t least, uint64_t most,
                      uint64_t *ret_bytes)
{
    size_t length = strlen(text);
    unsigned shift = length > 0 ? letter_shift(text[length - 1]) : 0;
    return whole_parse(text, shift > 0 ? length - 1 : length, shift, least, most,
                       ret_bytes);
}
