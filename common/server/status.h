/*
 * /status: the state of the process, and how far it is from the guard rails.
 */
#ifndef LAB_SERVER_STATUS_H
#define LAB_SERVER_STATUS_H

#include "probe/http/route.h"

page status_page; /* /status */

#endif
