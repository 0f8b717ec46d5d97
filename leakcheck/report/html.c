/*
 * Escaping.
 */
#include "leakcheck/report/html.h"

#include <string.h>

void html_text_length(struct buffer *page, const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        switch (text[i]) {
        case '&':
            buffer_text(page, "&amp;");
            break;
        case '<':
            buffer_text(page, "&lt;");
            break;
        case '>':
            buffer_text(page, "&gt;");
            break;
        case '"':
            buffer_text(page, "&quot;");
            break;
        case '\'':
            buffer_text(page, "&#39;");
            break;
        default:
            /* No control characters but those that lay text out. */
            if ((unsigned char)text[i] >= ' ' || text[i] == '\n' || text[i] == '\t') {
                buffer_append(page, &text[i], 1);
            } else {
                buffer_text(page, "?");
            }
        }
    }
}

void html_text(struct buffer *page, const char *text)
{
    html_text_length(page, text, strlen(text));
}
