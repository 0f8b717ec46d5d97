/*
 * The dictionary of a profile: the strings, functions, locations and mappings that its
 * samples refer to by number (id). Each is encoded once. The dictionary is kept from
 * one profile to the next, so a later profile costs little more than its samples.
 */
#ifndef PROBE_PROTO_DICTIONARY_H
#define PROBE_PROTO_DICTIONARY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "probe/stacks/hash_table.h"

/* Lives in memory that the caller owns; { 0 } is empty. */
struct dictionary {
    struct buffer mappings;
    struct buffer locations;
    struct buffer functions;
    struct buffer strings;
    struct table location_ids; /* by address */
    struct table function_ids; /* by address and file */
    struct table file_ids;     /* strings of file names, by the pointer to the name */
    struct table module_ids;   /* by start address */
    uint32_t locations_count;
    uint32_t functions_count;
    uint32_t modules_count;
    uint32_t strings_count;
    struct buffer message; /* the message that is being encoded */
    struct buffer inner;   /* a message inside that one */
    bool failed;           /* memory ran out: the contents are not valid */
};

/* Sets up an empty dictionary with the mappings that probe_symbols_load has found. */
void probe_dictionary_init(struct dictionary *dictionary);
void probe_dictionary_release(struct dictionary *dictionary);

/* Adds a string, even if it is there already, and returns its number. NULL and "" are
 * number 0. */
uint32_t probe_dictionary_string(struct dictionary *dictionary, const char *text);

/* The number of the location of an address inside an instruction, with its function,
 * file and line. 0: out of memory. */
uint32_t probe_dictionary_location(struct dictionary *dictionary, uintptr_t address);

/* Adds a function and returns its number. `file` is the number of a string. */
uint32_t probe_dictionary_function(struct dictionary *dictionary, const char *name,
                                   uint32_t file);

/* Adds a location with one line, and returns its number. `mapping` and `function` are
 * numbers; 0: none. */
uint32_t probe_dictionary_place(struct dictionary *dictionary, uint32_t mapping,
                                uintptr_t address, uint32_t function, unsigned line);

/* Bytes of everything that is kept. */
size_t probe_dictionary_bytes(const struct dictionary *dictionary);

/* A mark is a state to return to. Strings, functions and locations of one profile alone
 * are added after a mark, and probe_dictionary_cut removes them again. */
struct dictionary_mark {
    size_t strings, functions, locations; /* lengths */
    uint32_t strings_count, functions_count, locations_count;
};

struct dictionary_mark probe_dictionary_mark(const struct dictionary *dictionary);
void probe_dictionary_cut(struct dictionary *dictionary,
                          const struct dictionary_mark *mark);

/* Appends the whole dictionary to a profile. */
void probe_dictionary_append(struct dictionary *dictionary, struct buffer *profile);

#endif
