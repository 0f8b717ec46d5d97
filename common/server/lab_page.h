/*
 * The lab's page: both servers in the same charts, and a card for each scenario. It is
 * the probe's live page with more in it. Its files are in common/page/.
 */
#ifndef LAB_SERVER_LAB_PAGE_H
#define LAB_SERVER_LAB_PAGE_H

#include "probe/http/route.h"

page lab_page;       /* GET / on the main port */
page lab_page_files; /* GET /page/lab/NAME */

/* GET /page/lab/setup: JSON, what the page must know first: `server`, its name; `peer`,
 * the URL of the other server, or null; `exercise`, whether this server is an exercise,
 * which keeps its answers to itself. */
page lab_page_setup;

/* GET /page/lab/lesson/SCENARIO: how the fixed half of the pair differs, as `make
 * lesson` prints it. An exercise has no lesson: 404. */
page lab_page_lesson;

#endif
