/*
 * What tells this server from its twin, apart from the scenarios.
 */
#include "variant.h"

const struct variant variant = {
    .name = "leaky",
    .port = 8080,
    .debug_port = 6060,
};
