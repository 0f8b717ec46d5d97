/*
 * Writes text from outside into a JSON string. It may be any bytes: a thread can have
 * any in its name.
 */
#ifndef PROBE_HTTP_JSON_STRING_H
#define PROBE_HTTP_JSON_STRING_H

#include <stddef.h>

#include "base/buffer.h"

/* Appends `length` bytes to a JSON string, without the quotation marks around it.
 * Characters that JSON does not allow there are escaped; a byte that is not part of
 * valid UTF-8 becomes U+FFFD. */
void probe_json_string_part(struct buffer *text, const char *bytes, size_t length);

#endif
