/*
 * Reads the variables of one file that live as long as the program or a thread: names
 * and places from the symbol table, and where they are declared from DWARF. Only
 * symbols.c uses this one.
 */
#ifndef PROBE_SYMBOLS_VARIABLES_READ_H
#define PROBE_SYMBOLS_VARIABLES_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "probe/symbols/symbol_session.h"

struct symbol_variable {
    uintptr_t start; /* address in the file; of a thread-local variable, its offset
                        among those of the file */
    uintptr_t bytes;
    bool thread_local;
    uint32_t name;         /* offset in `strings` */
    uint32_t file;         /* the same; meaningless where `line` is 0 */
    uint32_t file_in_tree; /* the same, relative to the directory of compilation */
    uint32_t line;         /* 0: not known */
};

struct symbol_variables {
    struct buffer strings;
    struct buffer entries; /* struct symbol_variable, by thread_local and start */
    size_t count;
};

/* Reads a file. One without symbols gives none. Returns 0, and they are the caller's;
 * or -errno with nothing kept: -ECANCELED if it was interrupted. Call it under a lock.
 */
int probe_symbol_variables_read(const struct symbol_request *request,
                                struct symbol_variables *ret_variables);

void probe_symbol_variables_release(struct symbol_variables *variables);

/* The memory that they take, in bytes. */
size_t probe_symbol_variables_bytes(const struct symbol_variables *variables);

/* The variable that holds the address (or the offset of a thread-local one), or NULL.
 */
const struct symbol_variable *
probe_symbol_variables_find(const struct symbol_variables *variables, bool thread_local,
                            uintptr_t address);

#endif
