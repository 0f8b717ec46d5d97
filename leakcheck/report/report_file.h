/*
 * Writes a report without losing the old one on failure: the new text goes to a hidden
 * file in the same directory, which gets the report's name when it is complete.
 */
#ifndef LEAKCHECK_REPORT_REPORT_FILE_H
#define LEAKCHECK_REPORT_REPORT_FILE_H

#include <cjson/cJSON.h>
#include <stddef.h>

#include "base/failure.h"

/* Checks whether report_write could write there now, and changes nothing. Called before
 * the measurement, which takes a while. Returns 0, or -errno with a reason. */
int report_check(const char *path, struct failure *failure);

/* Writes `length` bytes of text to `path`. On failure, a regular file that was there
 * keeps its contents; on success, the new one gets its access rights. Anything else (a
 * link, a device, a FIFO) is written in place, and never removed or replaced.
 * Returns 0, or -errno with a reason. A signal that ends the process may leave
 * ".NAME.XXXXXX" behind.
 */
int report_write(const char *path, const char *text, size_t length,
                 struct failure *failure);

/* The same for a JSON value, as text; it is deleted. */
int report_write_json(const char *path, cJSON *root, struct failure *failure);

#endif
