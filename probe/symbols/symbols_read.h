/*
 * Reads the symbol table, the line table and the build id of one module into our own
 * tables. No other file uses libdw. Only symbols.c uses this one.
 */
#ifndef PROBE_SYMBOLS_SYMBOLS_READ_H
#define PROBE_SYMBOLS_SYMBOLS_READ_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/buffer.h"
#include "probe/stacks/maps.h"
#include "probe/symbols/module.h"

struct symbol_reader;

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
    struct module module;
    atomic_bool gone;        /* it is no longer mapped */
    struct buffer strings;   /* every string of the module */
    struct buffer functions; /* struct symbol_function, by start */
    struct buffer lines;     /* struct symbol_line, by start */
    size_t functions_count;
    size_t lines_count;
};

/* Starts a libdw session for the current mappings. It opens no file:
 * probe_symbol_reader_read opens what it needs. The caller closes the reader. Returns 0
 * or -errno. */
int probe_symbol_reader_open(struct symbol_reader **ret_reader);

/* Reads one mapping. A file without symbols gives empty tables. Returns 0, or -ENOMEM
 * with nothing kept. */
int probe_symbol_reader_read(struct symbol_reader *reader,
                             const struct mapping *mapping,
                             struct symbol_tables *ret_tables);

/* Ends the session and closes every file; takes NULL. */
void probe_symbol_reader_close(struct symbol_reader *reader);

/* The sorted arrays; `tables` owns them. */
const struct symbol_function *
probe_symbol_tables_functions(const struct symbol_tables *tables);
const struct symbol_line *probe_symbol_tables_lines(const struct symbol_tables *tables);

#endif
