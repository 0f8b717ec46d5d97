/*
 * Whether civetweb has read a request's head as every other HTTP program would.
 * civetweb 1.15 accepts much that a program on the way might read differently (bare
 * line feeds, headers without a name, encoded paths), so this looks at what it left in
 * its buffer.
 */
#ifndef LAB_SERVER_STRICT_HEAD_H
#define LAB_SERVER_STRICT_HEAD_H

#include <civetweb.h>

/* What is wrong with the head; NULL if nothing is. */
const char *strict_head_fault(const struct mg_request_info *info);

#endif
