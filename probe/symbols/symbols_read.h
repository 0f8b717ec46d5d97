/*
 * Reads the symbol table, the line table and the build id of one module into tables of
 * our own. The only module that knows libdw; symbols.c alone uses it.
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
    uint32_t rank; /* among names of one address, the lowest is the best */
};

/* From `start` to the next row's start the code is of this line. */
struct symbol_line {
    uintptr_t start;
    uint32_t order;        /* in the file: rows of one address keep their order */
    uint32_t line;         /* 0: no line, the code before has ended */
    uint32_t file;         /* offset in `strings` */
    uint32_t file_in_tree; /* the same, behind the directory it was compiled in */
};

struct symbol_tables {
    struct module module;
    atomic_bool gone;        /* it is mapped no more */
    struct buffer strings;   /* every string of the module */
    struct buffer functions; /* struct symbol_function, by start */
    struct buffer lines;     /* struct symbol_line, by start */
    size_t functions_count;
    size_t lines_count;
};

/* Begins a session with libdw over the mappings as they are now. Returns 0 or -errno.
 * It opens no file: probe_symbol_reader_read opens what it needs. */
int probe_symbol_reader_open(struct symbol_reader **ret_reader);

/* Reads one mapping. A file without symbols gives empty tables. Returns 0, or -ENOMEM
 * with nothing kept. */
int probe_symbol_reader_read(struct symbol_reader *reader,
                             const struct mapping *mapping,
                             struct symbol_tables *ret_tables);

/* Ends the session and closes every file; takes NULL. */
void probe_symbol_reader_close(struct symbol_reader *reader);

const struct symbol_function *
probe_symbol_tables_functions(const struct symbol_tables *tables);
const struct symbol_line *probe_symbol_tables_lines(const struct symbol_tables *tables);

#endif
