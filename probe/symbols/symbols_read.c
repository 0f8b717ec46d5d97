/*
 * Names come from the symbol table, files and lines from the DWARF line table.
 */
#include "probe/symbols/symbols_read.h"

#include <dwarf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "probe/symbols/libdw.h"

/* How many symbols or rows are read between two looks at `interrupted`. */
#define STEP 4096

/* One file that is being read. */
struct reading {
    struct symbol_session session;
    struct symbol_tables *tables;
};

static bool interrupted(struct reading *reading)
{
    return probe_symbol_session_interrupted(&reading->session);
}

/* Appends a string with its '\0' and returns its offset. */
static uint32_t string_add(struct buffer *strings, const char *text, size_t length)
{
    uint32_t offset = (uint32_t)strings->length;
    buffer_append(strings, text, length);
    buffer_append(strings, "", 1);
    if (strings->error == 0) {
        utf8_clean(strings->data + offset, length);
    }
    return offset;
}

/* A global name is better than a local one. A name without leading underscores is
 * better than its alias with them: the underscores mark a library's internal names. */
static uint32_t name_rank(const char *name, unsigned char info)
{
    uint32_t rank = GELF_ST_BIND(info) == STB_LOCAL ? 1000 : 0;
    return rank + (uint32_t)strspn(name, "_") * 10 +
           (GELF_ST_BIND(info) == STB_WEAK ? 1 : 0);
}

static void functions_collect(struct reading *reading)
{
    struct symbol_tables *tables = reading->tables;
    int count = reading->session.libdw->dwfl_module_getsymtab(reading->session.module);
    for (int i = 1; i < count; i++) {
        GElf_Sym symbol;
        GElf_Addr address = 0;
        GElf_Word section = SHN_UNDEF;
        if (i % STEP == 0 && interrupted(reading)) {
            return;
        }
        const char *name = reading->session.libdw->dwfl_module_getsym_info(
            reading->session.module, i, &symbol, &address, &section, NULL, NULL);
        int type = GELF_ST_TYPE(symbol.st_info);
        if (name == NULL || name[0] == '\0' || section == SHN_UNDEF ||
            (type != STT_FUNC && type != STT_GNU_IFUNC)) {
            continue;
        }
        /* "memcpy@@GLIBC_2.14": the version is not part of the name. */
        struct symbol_function function = {
            .start = address,
            .bytes = symbol.st_size,
            .name = string_add(&tables->strings, name, strcspn(name, "@")),
            .rank = name_rank(name, symbol.st_info),
        };
        buffer_append(&tables->functions, &function, sizeof(function));
    }
}

static int function_compare(const void *left, const void *right)
{
    const struct symbol_function *a = left;
    const struct symbol_function *b = right;
    if (a->start != b->start) {
        return a->start < b->start ? -1 : 1;
    }
    return a->rank < b->rank ? -1 : a->rank > b->rank;
}

/* Sorts the functions and keeps the best name of each address. A function without a
 * size (some are written in assembly) reaches to the next one, and the last one to the
 * end of the mapping. */
static void functions_settle(struct symbol_tables *tables)
{
    struct symbol_function *functions = (void *)tables->functions.data;
    size_t count = tables->functions.length / sizeof(*functions);
    if (count == 0 || tables->functions.error != 0) {
        return;
    }
    qsort(functions, count, sizeof(*functions), function_compare);
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (kept == 0 || functions[kept - 1].start != functions[i].start) {
            functions[kept++] = functions[i];
        }
    }
    for (size_t i = 0; i < kept; i++) {
        uintptr_t next = i + 1 < kept ? functions[i + 1].start : UINTPTR_MAX;
        if (functions[i].bytes == 0) {
            functions[i].bytes = next - functions[i].start;
        }
    }
    tables->functions_count = kept;
}

/* The offset in `file` after the directory `tree`; 0 if the file is not in it. */
static uint32_t tree_prefix(const char *file, const char *tree)
{
    size_t length = tree == NULL ? 0 : strlen(tree);
    if (length == 0 || strncmp(file, tree, length) != 0 || file[length] != '/') {
        return 0;
    }
    return (uint32_t)length + 1;
}

/* Reads one row. Returns false if it says nothing. */
static bool row_read(const struct libdw *libdw, Dwarf_Line *row,
                     struct symbol_line *line, const char **ret_file)
{
    Dwarf_Addr address = 0;
    int number = 0;
    bool ends = false;
    *ret_file = libdw->dwarf_linesrc(row, NULL, NULL);
    if (libdw->dwarf_lineaddr(row, &address) != 0 ||
        libdw->dwarf_lineno(row, &number) != 0 ||
        libdw->dwarf_lineendsequence(row, &ends) != 0 || *ret_file == NULL) {
        return false;
    }
    line->start = address;
    line->line = ends ? 0 : (uint32_t)number;
    return number != 0 || ends;
}

/* Adds the rows of one compilation unit. */
static void lines_collect_unit(struct reading *reading, Dwarf_Die *unit,
                               Dwarf_Addr bias)
{
    const struct libdw *libdw = reading->session.libdw;
    struct symbol_tables *tables = reading->tables;
    Dwarf_Lines *rows = NULL;
    size_t count = 0;
    if (libdw->dwarf_getsrclines(unit, &rows, &count) != 0) {
        return;
    }
    Dwarf_Attribute attribute;
    const char *tree =
        libdw->dwarf_formstring(libdw->dwarf_attr(unit, DW_AT_comp_dir, &attribute));
    const char *last_file = NULL;
    struct symbol_line line = {0};
    for (size_t i = 0; i < count; i++) {
        const char *file = NULL;
        if (!row_read(libdw, libdw->dwarf_onesrcline(rows, i), &line, &file)) {
            continue;
        }
        if (file != last_file) {
            line.file = string_add(&tables->strings, file, strlen(file));
            line.file_in_tree = line.file + tree_prefix(file, tree);
            last_file = file;
        }
        line.start += bias;
        line.order = (uint32_t)tables->lines_count++;
        buffer_append(&tables->lines, &line, sizeof(line));
    }
}

/* Sorts by address. At one address the end of a sequence comes first, and the other
 * rows keep their order: the last one counts (DWARF 5, 6.2.2). */
static int line_compare(const void *left, const void *right)
{
    const struct symbol_line *a = left;
    const struct symbol_line *b = right;
    if (a->start != b->start) {
        return a->start < b->start ? -1 : 1;
    }
    if ((a->line == 0) != (b->line == 0)) {
        return a->line == 0 ? -1 : 1;
    }
    return a->order < b->order ? -1 : a->order > b->order;
}

static void lines_collect(struct reading *reading)
{
    struct symbol_tables *tables = reading->tables;
    Dwarf_Addr bias = 0;
    Dwarf_Die *unit = NULL;
    while (!interrupted(reading) &&
           (unit = reading->session.libdw->dwfl_module_nextcu(reading->session.module,
                                                              unit, &bias)) != NULL) {
        lines_collect_unit(reading, unit, bias);
    }
    if (tables->lines_count > 0 && tables->lines.error == 0) {
        qsort(tables->lines.data, tables->lines_count, sizeof(struct symbol_line),
              line_compare);
    }
}

static int file_read(struct reading *reading, const struct symbol_request *request)
{
    struct symbol_tables *tables = reading->tables;
    struct symbol_session *session = &reading->session;
    int error = probe_symbol_session_open(request, session);
    if (error == 0 && session->module != NULL) {
        functions_collect(reading);
        functions_settle(tables);
        if (probe_symbol_session_lines_wanted(session, &tables->lines_left_out)) {
            lines_collect(reading);
        }
        tables->detached = session->detached;
    }
    probe_symbol_session_close(session);
    return session->interrupted ? -ECANCELED : error;
}

int probe_symbol_tables_read(const struct symbol_request *request,
                             struct symbol_tables *ret_tables)
{
    struct symbol_tables tables = {.functions_count = 0};
    struct reading reading = {.tables = &tables};
    int error = file_read(&reading, request);
    if (tables.strings.error != 0 || tables.functions.error != 0 ||
        tables.lines.error != 0) {
        error = -ENOMEM;
    }
    if (error != 0) {
        probe_symbol_tables_release(&tables);
        return error;
    }
    *ret_tables = tables;
    return 0;
}

void probe_symbol_tables_release(struct symbol_tables *tables)
{
    buffer_release(&tables->strings);
    buffer_release(&tables->functions);
    buffer_release(&tables->lines);
    *tables = (struct symbol_tables){.functions_count = 0};
}

size_t probe_symbol_tables_bytes(const struct symbol_tables *tables)
{
    return tables->strings.capacity + tables->functions.capacity +
           tables->lines.capacity;
}

const struct symbol_function *
probe_symbol_tables_function(const struct symbol_tables *tables, uintptr_t address)
{
    const struct symbol_function *functions =
        (const struct symbol_function *)(const void *)tables->functions.data;
    size_t low = 0;
    size_t high = tables->functions_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (functions[middle].start <= address) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    /* Labels inside a function have entries of their own, so go back over a few. */
    for (size_t i = low, steps = 0; i > 0 && steps < 8; i--, steps++) {
        const struct symbol_function *function = &functions[i - 1];
        if (address - function->start < function->bytes) {
            return function;
        }
    }
    return NULL;
}

const struct symbol_line *probe_symbol_tables_line(const struct symbol_tables *tables,
                                                   uintptr_t address)
{
    const struct symbol_line *lines =
        (const struct symbol_line *)(const void *)tables->lines.data;
    size_t low = 0;
    size_t high = tables->lines_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (lines[middle].start <= address) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low == 0 || lines[low - 1].line == 0 ? NULL : &lines[low - 1];
}
