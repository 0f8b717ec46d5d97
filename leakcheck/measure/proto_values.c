#include "leakcheck/measure/proto_values.h"

#include <errno.h>
#include <string.h>

#include "base/size.h"

/* The names that producers give them, and the unit of amounts in bytes. Node calls
 * what is in use "space" and "objects"; Java's agents call it "live". */
static const struct {
    const char *name;
    enum proto_value value;
} value_names[] = {
    {"inuse_objects", PROTO_INUSE_OBJECTS},
    {"objects", PROTO_INUSE_OBJECTS},
    {"heap-live-objects", PROTO_INUSE_OBJECTS},
    {"inuse_space", PROTO_INUSE_BYTES},
    {"space", PROTO_INUSE_BYTES},
    {"live", PROTO_INUSE_BYTES},
    {"heap-live-size", PROTO_INUSE_BYTES},
    {"alloc_objects", PROTO_ALLOC_OBJECTS},
    {"alloc_space", PROTO_ALLOC_BYTES},
    {"lost_objects", PROTO_LOST_OBJECTS},
    {"lost_space", PROTO_LOST_BYTES},
};
static const char *const thread_names[] = {"goroutine", "goroutines", "thread",
                                           "threads", "threadcreate"};

int proto_type_read(struct proto_tables *tables, struct arena *arena,
                    struct wire message, const char **ret_name, const char **ret_unit)
{
    struct wire_field field;
    int error = 0;
    *ret_name = "";
    *ret_unit = "";
    while (error == 0 && wire_next(&message, &field)) {
        if (field.field == 1 || field.field == 2) {
            error = proto_text(tables, arena, field.number,
                               field.field == 1 ? ret_name : ret_unit);
        }
    }
    return error == 0 && message.bad ? -EPROTO : error;
}

static bool is_bytes(enum proto_value value)
{
    return value == PROTO_INUSE_BYTES || value == PROTO_ALLOC_BYTES ||
           value == PROTO_LOST_BYTES;
}

/* Whether the name is that of the things that are counted. */
static bool is_count(const struct proto_values *values, const char *name)
{
    if (values->subject == PROTO_COUNTS) {
        return strcmp(name, values->counted) == 0;
    }
    for (size_t i = 0; i < sizeof(thread_names) / sizeof(thread_names[0]); i++) {
        if (strcmp(name, thread_names[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* Which value has that name; PROTO_VALUE_COUNT: none that is used. */
static enum proto_value value_of(const struct proto_values *values, const char *name)
{
    if (is_count(values, name)) {
        return PROTO_COUNT;
    }
    for (size_t i = 0; i < sizeof(value_names) / sizeof(value_names[0]); i++) {
        if (strcmp(name, value_names[i].name) == 0) {
            return value_names[i].value;
        }
    }
    return PROTO_VALUE_COUNT;
}

/* Checks that the profile has what is wanted. */
static int columns_check(const struct proto_values *values, struct failure *failure)
{
    const int *column = values->column;
    if (values->subject == PROTO_COUNTS && column[PROTO_COUNT] < 0) {
        return failure_set(failure, EPROTO, "none of its values is named '%.40s'",
                           values->counted);
    }
    if (values->subject == PROTO_THREADS && column[PROTO_COUNT] < 0) {
        return failure_set(failure, EPROTO,
                           "the profile is no thread profile: none of its values is "
                           "named 'goroutine' or 'threads'");
    }
    if (values->subject == PROTO_HEAP && column[PROTO_INUSE_BYTES] < 0) {
        return failure_set(failure, EPROTO,
                           column[PROTO_ALLOC_BYTES] < 0
                               ? "the profile is no heap profile: none of its values "
                                 "is named 'inuse_space' or 'space'"
                               : "the profile counts what was allocated, not what is "
                                 "in use: it has alloc_space, but no inuse_space");
    }
    return 0;
}

int proto_values_find(struct proto_values *values, struct proto_tables *tables,
                      struct arena *arena, struct failure *failure)
{
    const struct proto_list *types = &tables->sample_types;
    for (int i = 0; i < PROTO_VALUE_COUNT; i++) {
        values->column[i] = -1;
    }
    for (size_t i = 0; i < types->count && i < PROTO_VALUES_MAX; i++) {
        const char *name;
        const char *unit;
        int error =
            proto_type_read(tables, arena, types->items[i].message, &name, &unit);
        if (error < 0) {
            return error;
        }
        enum proto_value value = value_of(values, name);
        if (value == PROTO_VALUE_COUNT || values->column[value] >= 0) {
            continue; /* the first of two equal names is taken */
        }
        if (is_bytes(value) && strcmp(unit, "bytes") != 0) {
            return failure_set(failure, EPROTO,
                               "the profile counts %.40s in '%.40s', not in bytes",
                               name, unit);
        }
        values->column[value] = (int)i;
    }
    return columns_check(values, failure);
}

/* Sets *ret_amount to one value of a sample; 0 if the profile does not have it. */
static int value_take(const struct proto_values *values, const int64_t *numbers,
                      size_t count, enum proto_value value, int64_t *ret_amount,
                      struct failure *failure)
{
    int column = values->column[value];
    *ret_amount = 0;
    if (column < 0) {
        return 0;
    }
    if ((size_t)column >= count) {
        return -EPROTO;
    }
    if (numbers[column] < 0 || numbers[column] > PROTO_VALUE_MAX) {
        return failure_set(failure, EPROTO,
                           "the profile has an amount that cannot be true: %lld",
                           (long long)numbers[column]);
    }
    *ret_amount = numbers[column];
    return 0;
}

/* The amounts of a heap profile. */
static int heap_take(const struct proto_values *values, const int64_t *numbers,
                     size_t count, struct amounts *amounts, struct failure *failure)
{
    int64_t *const taken[] = {[PROTO_INUSE_OBJECTS] = &amounts->inuse_objects,
                              [PROTO_INUSE_BYTES] = &amounts->inuse_bytes,
                              [PROTO_ALLOC_OBJECTS] = &amounts->alloc_objects,
                              [PROTO_ALLOC_BYTES] = &amounts->alloc_bytes,
                              [PROTO_LOST_OBJECTS] = &amounts->lost_objects,
                              [PROTO_LOST_BYTES] = &amounts->lost_bytes};
    for (enum proto_value value = PROTO_INUSE_OBJECTS; value <= PROTO_LOST_BYTES;
         value++) {
        int error = value_take(values, numbers, count, value, taken[value], failure);
        if (error < 0) {
            return error;
        }
    }
    /* Freed allocations are not counted: as in gperftools' samples, both are equal. */
    if (values->column[PROTO_ALLOC_BYTES] < 0) {
        amounts->alloc_objects = amounts->inuse_objects;
        amounts->alloc_bytes = amounts->inuse_bytes;
    }
    return 0;
}

int proto_values_take(const struct proto_values *values, const int64_t *numbers,
                      size_t count, struct amounts *ret_amounts,
                      struct failure *failure)
{
    struct amounts amounts = {0};
    int error;
    if (values->subject == PROTO_HEAP) {
        error = heap_take(values, numbers, count, &amounts, failure);
    } else {
        error = value_take(values, numbers, count, PROTO_COUNT, &amounts.inuse_objects,
                           failure);
    }
    if (error == 0 && values->subject == PROTO_COUNTS) {
        error = value_take(values, numbers, count, PROTO_INUSE_BYTES,
                           &amounts.inuse_bytes, failure);
    }
    *ret_amounts = amounts;
    return error;
}
