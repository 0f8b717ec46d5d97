/*
 * What tells this server from its twin, apart from the scenarios.
 */
#include "variant.h"

const struct variant variant = {
    .name = "fixed",
    .port = 8081,
    .debug_port = 6061,
};
