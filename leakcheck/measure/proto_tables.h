/*
 * The tables of a profile.proto: its texts, and the places in the program (locations)
 * that its stacks refer to by number. The input is not trusted. Source:
 * github.com/google/pprof, proto/profile.proto.
 */
#ifndef LEAKCHECK_MEASURE_PROTO_TABLES_H
#define LEAKCHECK_MEASURE_PROTO_TABLES_H

#include "leakcheck/measure/profile.h"
#include "leakcheck/measure/proto_wire.h"

/* Numbers of the fields in the message Profile. */
enum proto_field {
    PROTO_SAMPLE_TYPE = 1,
    PROTO_SAMPLE = 2,
    PROTO_MAPPING = 3,
    PROTO_LOCATION = 4,
    PROTO_FUNCTION = 5,
    PROTO_STRING = 6,
    PROTO_PERIOD_TYPE = 11,
    PROTO_PERIOD = 12,
};

#define PROTO_ITEMS_MAX 1000000 /* entries in each table */

/* The entries of one field. */
struct proto_list {
    struct proto_item {
        uint64_t id; /* 0 where entries are counted instead */
        struct wire message;
    } * items;
    size_t count;
    size_t capacity;
};

/* A place in the program, with the functions that are inlined there: the innermost
 * first. */
struct proto_place {
    uint64_t key;     /* the same in each profile of one process: see proto_tables.c */
    uint64_t address; /* of the call instruction; 0: not known */
    struct frame *frames; /* at least one */
    size_t frame_count;
    bool named; /* at least one frame has a function */
};

/* Lives in memory that the caller owns; { 0 } is empty. */
struct proto_tables {
    struct proto_list sample_types;
    struct proto_list mappings;
    struct proto_list locations; /* sorted by id */
    struct proto_list functions; /* sorted by id */
    struct proto_list strings;
    const char **texts;         /* of the strings that were used; others NULL */
    struct proto_place *places; /* of the locations, in their order */
    struct wire period_type;
    int64_t period;
    bool is_go; /* there are functions of Go's runtime */
};

/* Reads all tables; texts and frames go to `arena`. Returns 0, -EPROTO if the profile
 * is malformed, -E2BIG if it has too many entries, or -ENOMEM. In all cases the caller
 * calls proto_tables_release. */
int proto_tables_read(struct proto_tables *tables, struct wire whole,
                      struct arena *arena);

/* Sets *ret_text to the string with this index. Returns 0, -EPROTO if there is none, or
 * -ENOMEM. */
int proto_text(struct proto_tables *tables, struct arena *arena, uint64_t index,
               const char **ret_text);

/* The place of a location's id; NULL if there is none. */
const struct proto_place *proto_place(const struct proto_tables *tables, uint64_t id);

/* A key for a text, as a place has one that is known by its names alone: no code has
 * that address. */
uint64_t proto_text_key(const char *text);

/* Frees the tables, but not what is in the arena. */
void proto_tables_release(struct proto_tables *tables);

#endif
