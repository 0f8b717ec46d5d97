/*
 * The values of a profile.proto: which of a sample's numbers is what, found by the
 * names of their types. The input is not trusted.
 */
#ifndef LEAKCHECK_MEASURE_PROTO_VALUES_H
#define LEAKCHECK_MEASURE_PROTO_VALUES_H

#include "leakcheck/measure/profile.h"
#include "leakcheck/measure/proto_tables.h"

#define PROTO_VALUES_MAX 64               /* in a sample */
#define PROTO_VALUE_MAX (INT64_MAX / KIB) /* as in the text formats */

/* What a profile is about. The names of its values are those that its producers give;
 * the first that is there counts. */
enum proto_subject {
    PROTO_HEAP,
    PROTO_THREADS,
    PROTO_COUNTS, /* of things that `counted` names: "fds"; maybe with their bytes */
};

/* The values that are used. */
enum proto_value {
    PROTO_INUSE_OBJECTS,
    PROTO_INUSE_BYTES,
    PROTO_ALLOC_OBJECTS,
    PROTO_ALLOC_BYTES,
    PROTO_LOST_OBJECTS,
    PROTO_LOST_BYTES,
    PROTO_COUNT,
    PROTO_VALUE_COUNT
};

/* Lives in memory that the caller owns; the first two members are set by it. */
struct proto_values {
    enum proto_subject subject;
    const char *counted;           /* PROTO_COUNTS: the name of the value */
    int column[PROTO_VALUE_COUNT]; /* where in a sample the value is; -1: nowhere */
};

/* Reads a ValueType: the names of a value and of its unit. Returns 0, -EPROTO or
 * -ENOMEM. */
int proto_type_read(struct proto_tables *tables, struct arena *arena,
                    struct wire message, const char **ret_name, const char **ret_unit);

/* Finds the columns, and checks that what the subject needs is there. Returns 0,
 * -ENOMEM, or -EPROTO, which has a reason unless the profile is malformed. */
int proto_values_find(struct proto_values *values, struct proto_tables *tables,
                      struct arena *arena, struct failure *failure);

/* Makes the amounts from the `count` numbers of a sample. Returns 0, or -EPROTO, which
 * has a reason unless the sample is too short. */
int proto_values_take(const struct proto_values *values, const int64_t *numbers,
                      size_t count, struct amounts *ret_amounts,
                      struct failure *failure);

#endif
