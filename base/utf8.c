#include "base/utf8.h"

#include <stdbool.h>
#include <stdint.h>

size_t utf8_character_bytes(const unsigned char *bytes, size_t length)
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

void utf8_clean(char *text, size_t length)
{
    const unsigned char *bytes = (const unsigned char *)text;
    for (size_t i = 0; i < length;) {
        size_t count = utf8_character_bytes(bytes + i, length - i);
        bool control = bytes[i] < 0x20 || bytes[i] == 0x7f ||
                       (count == 2 && bytes[i] == 0xc2 && bytes[i + 1] < 0xa0);
        if (count > 0 && !control) {
            i += count;
            continue;
        }
        for (size_t end = i + (count == 0 ? 1 : count); i < end; i++) {
            text[i] = '?';
        }
    }
}
