/*
 * Units of sizes in bytes. They are signed, because sizes are compared with
 * differences, which can be negative.
 */
#ifndef BASE_SIZE_H
#define BASE_SIZE_H

#include <stdint.h>

#define KIB INT64_C(1024)
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)

#endif
