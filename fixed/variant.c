/*
 * This server's name and ports.
 */
#include "variant.h"

const struct variant variant = {
    .name = "fixed",
    .port = 8081,
    .debug_port = 6061,
    .peer_port = 8080,
};
