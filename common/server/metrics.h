/*
 * /metrics: the figures of the process and of the lab, for Prometheus.
 */
#ifndef LAB_SERVER_METRICS_H
#define LAB_SERVER_METRICS_H

#include "probe/http/route.h"

page metrics_page; /* /metrics */

#endif
