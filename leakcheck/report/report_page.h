/*
 * The page around the HTML report: report_page.html, built into the program.
 */
#ifndef LEAKCHECK_REPORT_REPORT_PAGE_H
#define LEAKCHECK_REPORT_REPORT_PAGE_H

/* The file's bytes, then a '\0'. The place for the content is REPORT_PAGE_MARK. */
extern const char report_page_html[];

#define REPORT_PAGE_MARK "<!-- content -->"

#endif
