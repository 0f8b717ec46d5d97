#include "probe/http/json_string.h"

#include <stdbool.h>
#include <string.h>

#include "base/utf8.h"

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
        size_t count = utf8_character_bytes(from + i, length - i);
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
