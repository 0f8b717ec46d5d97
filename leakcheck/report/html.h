/*
 * The parts of the HTML report. Each writes to the end of a page. All text that comes
 * from outside goes through html_text.
 */
#ifndef LEAKCHECK_REPORT_HTML_H
#define LEAKCHECK_REPORT_HTML_H

#include "base/buffer.h"
#include "leakcheck/judge/pair.h"

/* Text, with everything that HTML could take for markup escaped: also fit for the
 * value of an attribute in double quotes. */
void html_text(struct buffer *page, const char *text);
void html_text_length(struct buffer *page, const char *text, size_t length);

/* The leaky and the fixed curve of one scenario, as inline SVG. */
void html_chart(struct buffer *page, const struct trial *leaky,
                const struct trial *fixed);

/* What a server's heap holds, as an icicle: callers above, callees below, width is
 * bytes in use. */
void html_icicle(struct buffer *page, const struct profile *profile);

/* The lines around `line` of a file below the directory `source`; a note if it cannot
 * be read. */
void html_source(struct buffer *page, const char *source, const char *file,
                 unsigned line);

/* How two files below the directory `source` differ; a note if they cannot be read. */
void html_diff(struct buffer *page, const char *source, const char *const files[2]);

#endif
