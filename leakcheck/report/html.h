/*
 * The parts of the HTML report. Each writes to the end of a page. All text that comes
 * from outside goes through buffer_html. A section's id is the name of its scenario.
 * All other ids begin with '_', which no scenario's name does.
 */
#ifndef LEAKCHECK_REPORT_HTML_H
#define LEAKCHECK_REPORT_HTML_H

#include "base/buffer.h"
#include "leakcheck/judge/pair.h"

/* One scenario as both servers ran it. Everything belongs to the judgement. */
struct pair {
    const struct scenario_info *info;
    const struct trial *leaky;
    const struct trial *fixed;
    const struct finding *shown;
    const struct finding *holds;
    struct answers_finding answers;
    enum resource resource; /* what the scenario is about */
};

/* The pair of the scenario with that index in the servers' list. */
struct pair html_pair(const struct judgement *judgement, size_t index);

/* An element with text that came from outside. */
void html_element(struct buffer *page, const char *tag, const char *text);

/* A family as words: "stuck-threads" is "Stuck threads". */
void html_family(struct buffer *page, const char *family);

/* "proved", or what failed. */
void html_badge(struct buffer *page, const struct pair *pair);

/* What one call grows by, or holds at its peak. A shrinkage is no growth: "0 B" with a
 * note. `noun` adds what is counted: "1 thread". */
void html_growth(struct buffer *page, const struct pair *pair, enum resource resource,
                 double amount, bool noun);

/* The summary and a table of all pairs that were judged, by family. It names neither
 * function nor line. `order` holds the indexes of the `count` scenarios to show,
 * grouped by family. */
void html_overview(struct buffer *page, const struct judgement *judgement,
                   const size_t *order, size_t count);

/* Where the icicles show a scenario: the number of its largest box, by role; 0: none.
 */
struct html_boxes {
    unsigned number[2];
};

/* What both servers hold at the end, as two icicles on one scale: callers above,
 * callees below, width is bytes in use. `boxes`, zeroed and one for each scenario of
 * the list, is filled in. */
void html_icicles(struct buffer *page, const struct judgement *judgement,
                  struct html_boxes *boxes);

/* The section of one scenario. `source` is the directory that holds its files. */
void html_scenario(struct buffer *page, const struct pair *pair,
                   const struct html_boxes *boxes, const char *source);

/* What the profiles blame, folded. `source` as for html_scenario. */
void html_places(struct buffer *page, const struct pair *pair,
                 const struct html_boxes *boxes, const char *source);

/* The leaky and the fixed curve of one scenario, as inline SVG. */
void html_chart(struct buffer *page, const struct trial *leaky,
                const struct trial *fixed);

/* The lines around `line` of a file below the directory `source`, without the comment
 * that explains the bug; a note if it cannot be read. */
void html_source(struct buffer *page, const char *source, const char *file,
                 unsigned line);

/* How two files below the directory `source` differ; a note if they cannot be read. */
void html_diff(struct buffer *page, const char *source, const char *const files[2]);

#endif
