#include "probe/http/json_string.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* How many bytes the UTF-8 character at the start of `bytes` has; 0 if it is not a
 * valid one (RFC 3629: no longer than needed, no surrogates, at most U+10FFFF). */
static size_t character_bytes(const unsigned char *bytes, size_t length)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    if (bytes[0] < 0x80) {
        return 1;
    }
    size_t count = bytes[0] >= 0xf0 ? 4 : bytes[0] >= 0xe0 ? 3 : 2;
    if (bytes[0] < 0xc2 || bytes[0] > 0xf4 || count > length) {
        return 0;
    }
    uint32_t character = bytes[0] & (0xffU >> (count + 1));
    for (size_t i = 1; i < count; i++) {
        if ((bytes[i] & 0xc0) != 0x80) {
            return 0;
        }
        character = character << 6 | (bytes[i] & 0x3f);
    }
    int surrogate = character >= 0xd800 && character <= 0xdfff;
    return character < least[count] || character > 0x10ffff || surrogate ? 0 : count;
}

/* Appends a character that JSON does not allow as it is, as cJSON does. */
static void put_escaped(struct buffer *text, unsigned char character)
{
    static const char special[] = "\"\\\b\f\n\r\t";
    static const char letters[] = "\"\\bfnrt"; /* what follows the '\\' for each */
    const char *found = memchr(special, character, sizeof(special) - 1);
    if (found != NULL) {
        char escaped[] = {'\\', letters[found - special]};
        buffer_append(text, escaped, sizeof(escaped));
    } else {
        buffer_printf(text, "\\u%04x", character);
    }
}

void probe_json_string_part(struct buffer *text, const char *bytes, size_t length)
{
    const unsigned char *from = (const unsigned char *)bytes;
    size_t plain = 0; /* of the bytes before i, how many are still to be copied */
    for (size_t i = 0; i < length;) {
        size_t count = character_bytes(from + i, length - i);
        bool special = from[i] < 0x20 || from[i] == '"' || from[i] == '\\';
        if (count > 0 && !special) {
            plain += count;
            i += count;
            continue;
        }
        buffer_append(text, bytes + i - plain, plain);
        plain = 0;
        if (count == 0) {
            buffer_text(text, "\\ufffd");
        } else {
            put_escaped(text, from[i]);
        }
        i++;
    }
    buffer_append(text, bytes + length - plain, plain);
}
