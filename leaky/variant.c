/*
 * This server's name and ports.
 */
#include "variant.h"

const struct variant variant = {
    .name = "leaky",
    .port = 8080,
    .debug_port = 6060,
    .peer_port = 8081,
};
