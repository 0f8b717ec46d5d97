/*
 * The list of scenarios, for people, the live page and leakcheck.
 */
#ifndef LAB_SERVER_CATALOGUE_H
#define LAB_SERVER_CATALOGUE_H

#include "probe/http/route.h"

page catalogue_page; /* /scenarios */

#endif
