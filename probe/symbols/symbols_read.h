/*
 * Reads the symbol table and the line table of one file into our own tables, with
 * libdw. Only symbols.c uses this one.
 */
#ifndef PROBE_SYMBOLS_SYMBOLS_READ_H
#define PROBE_SYMBOLS_SYMBOLS_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "probe/symbols/symbol_session.h"

/* Addresses in the tables are those of the file, which is mapped elsewhere. */
struct symbol_function {
    uintptr_t start;
    uintptr_t bytes;
    uint32_t name; /* offset in `strings` */
    uint32_t rank; /* of several names at one address the lowest is the best */
};

/* The code from `start` to the next row's start belongs to this line. */
struct symbol_line {
    uintptr_t start;
    uint32_t order;        /* position in the file: rows of one address keep their
                              order */
    uint32_t line;         /* 0: no line: the code before ends here */
    uint32_t file;         /* offset in `strings` */
    uint32_t file_in_tree; /* the same, relative to the directory of compilation */
};

struct symbol_tables {
    struct buffer strings;   /* every string of the file */
    struct buffer functions; /* struct symbol_function, by start */
    struct buffer lines;     /* struct symbol_line, by start */
    size_t functions_count;
    size_t lines_count;
    bool detached;       /* a file with detached symbols was found */
    bool lines_left_out; /* its line tables are larger than the limit */
};

/* Reads a file. One without symbols, or a process without libdw, gives empty tables.
 * Returns 0, and the tables are the caller's; or -errno with nothing kept: -ECANCELED
 * if it was interrupted. Call it under a lock. */
int probe_symbol_tables_read(const struct symbol_request *request,
                             struct symbol_tables *ret_tables);

void probe_symbol_tables_release(struct symbol_tables *tables);

/* The memory that they take, in bytes. */
size_t probe_symbol_tables_bytes(const struct symbol_tables *tables);

/* The function that holds the address, or NULL. */
const struct symbol_function *
probe_symbol_tables_function(const struct symbol_tables *tables, uintptr_t address);

/* The last row of the line table that begins at or before the address; NULL: no line is
 * known. */
const struct symbol_line *probe_symbol_tables_line(const struct symbol_tables *tables,
                                                   uintptr_t address);

#endif
