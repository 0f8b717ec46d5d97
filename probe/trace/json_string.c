#include "probe/trace/json_string.h"

#include <stdint.h>

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

void probe_json_string_part(struct buffer *text, const char *bytes, size_t length)
{
    const unsigned char *from = (const unsigned char *)bytes;
    for (size_t i = 0; i < length;) {
        size_t count = character_bytes(from + i, length - i);
        if (count == 0) {
            buffer_text(text, "\\ufffd");
        } else if (from[i] == '"' || from[i] == '\\') {
            buffer_printf(text, "\\%c", from[i]);
        } else if (from[i] < 0x20 || from[i] == 0x7f) {
            buffer_printf(text, "\\u%04x", from[i]);
        } else {
            buffer_append(text, bytes + i, count);
        }
        i += count == 0 ? 1 : count;
    }
}
