/*
 * Writes a report so that nothing is lost when that fails: the new text goes to a
 * hidden file beside the old one, which takes its name once it is whole.
 */
#ifndef LEAKCHECK_REPORT_REPORT_FILE_H
#define LEAKCHECK_REPORT_REPORT_FILE_H

#include <stddef.h>

#include "base/failure.h"

/* Whether report_write could write there now; nothing is made or changed. To be called
 * before the work, which takes a while. Returns 0, or -errno with a reason. */
int report_check(const char *path, struct failure *failure);

/* Writes `length` bytes of text to `path`. On a failure, a plain file that was there
 * keeps its contents; on success, the new one gets its access rights. What is no plain
 * file (a link, a device, a FIFO) is written in place, and never removed or replaced.
 * Returns 0, or -errno with a reason. A signal that ends the process may leave
 * ".NAME.XXXXXX" behind.
 */
int report_write(const char *path, const char *text, size_t length,
                 struct failure *failure);

#endif
