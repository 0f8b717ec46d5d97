/*
 * Checks whether civetweb has read a request's head as every other HTTP program would.
 * civetweb 1.15 accepts forms that another program, such as a proxy, may read
 * differently: bare line feeds, headers without a name, encoded paths. So this looks at
 * civetweb's buffer again.
 */
#ifndef LAB_SERVER_STRICT_HEAD_H
#define LAB_SERVER_STRICT_HEAD_H

#include <civetweb.h>

/* What is wrong with the head; NULL if nothing is. */
const char *strict_head_fault(const struct mg_request_info *info);

#endif
