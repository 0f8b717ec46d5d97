/*
 * The mappings of a profile.proto. The input is not trusted.
 */
#ifndef LEAKCHECK_MEASURE_PROTO_MAPPINGS_H
#define LEAKCHECK_MEASURE_PROTO_MAPPINGS_H

#include "leakcheck/measure/profile.h"
#include "leakcheck/measure/proto_tables.h"

/* Fills in the profile's mappings, and which of them is the program's: the first.
 * Returns 0, -EPROTO if one is malformed, -E2BIG if there are too many, or -ENOMEM. */
int proto_mappings_read(struct profile *profile, struct proto_tables *tables);

#endif
