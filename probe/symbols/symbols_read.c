/*
 * Uses libdw (elfutils/libdwfl.h): names come from the symbol table, files and lines
 * from the DWARF line table.
 */
#include "probe/symbols/symbols_read.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <elfutils/libdwfl.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BUILD_ID_MAX 64 /* bytes; usually 20 */

struct symbol_reader {
    Dwfl *dwfl;
};

/* The program is read through /proc/self/exe: its path may already hold a newer
 * build. */
static int elf_find(Dwfl_Module *module, void **userdata, const char *name,
                    Dwarf_Addr base, char **ret_file_name, Elf **ret_elf)
{
    char program[4096];
    ssize_t length = readlink("/proc/self/exe", program, sizeof(program) - 1);
    if (length > 0) {
        program[length] = '\0';
        if (strcmp(program, name) == 0) {
            return open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
        }
    }
    return dwfl_linux_proc_find_elf(module, userdata, name, base, ret_file_name,
                                    ret_elf);
}

static void build_id_format(const unsigned char *bits, int count, char *ret_text)
{
    ret_text[0] = '\0';
    for (int i = 0; i < count && i < BUILD_ID_MAX; i++) {
        snprintf(ret_text + (size_t)i * 2, 3, "%02x", bits[i]);
    }
}

/* Finds detached debug information where Debian's -dbg packages put it. elfutils' own
 * search would also ask debuginfod servers over the network, and a profile must not
 * wait for that. */
static int debuginfo_find(Dwfl_Module *module, void **userdata, const char *name,
                          Dwarf_Addr base, const char *file_name, const char *link,
                          GElf_Word link_crc, char **ret_file_name)
{
    (void)userdata, (void)name, (void)base, (void)file_name, (void)link, (void)link_crc;
    const unsigned char *bits = NULL;
    GElf_Addr address = 0;
    int count = dwfl_module_build_id(module, &bits, &address);
    if (count < 2) {
        return -1;
    }
    char id[2 * BUILD_ID_MAX + 1];
    build_id_format(bits, count, id);
    char path[sizeof(id) + 64];
    snprintf(path, sizeof(path), "/usr/lib/debug/.build-id/%.2s/%s.debug", id, id + 2);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        *ret_file_name = strdup(path);
    }
    return fd;
}

static const Dwfl_Callbacks callbacks = {
    .find_elf = elf_find,
    .find_debuginfo = debuginfo_find,
};

int probe_symbol_reader_open(struct symbol_reader **ret_reader)
{
    struct symbol_reader *reader = malloc(sizeof(*reader));
    if (reader == NULL) {
        return -ENOMEM;
    }
    reader->dwfl = dwfl_begin(&callbacks);
    if (reader->dwfl == NULL) {
        free(reader);
        return -ENOMEM;
    }
    int error = dwfl_linux_proc_report(reader->dwfl, getpid());
    if (dwfl_report_end(reader->dwfl, NULL, NULL) != 0 || error != 0) {
        probe_symbol_reader_close(reader);
        return error > 0 ? -error : -EIO;
    }
    *ret_reader = reader;
    return 0;
}

void probe_symbol_reader_close(struct symbol_reader *reader)
{
    if (reader != NULL) {
        dwfl_end(reader->dwfl);
        free(reader);
    }
}

/* Appends a string with its '\0' and returns its offset. */
static uint32_t string_add(struct buffer *strings, const char *text, size_t length)
{
    uint32_t offset = (uint32_t)strings->length;
    buffer_append(strings, text, length);
    buffer_append(strings, "", 1);
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

static void functions_collect(Dwfl_Module *module, struct symbol_tables *tables)
{
    int count = dwfl_module_getsymtab(module);
    for (int i = 1; i < count; i++) {
        GElf_Sym symbol;
        GElf_Addr address = 0;
        GElf_Word section = SHN_UNDEF;
        const char *name =
            dwfl_module_getsym_info(module, i, &symbol, &address, &section, NULL, NULL);
        int type = GELF_ST_TYPE(symbol.st_info);
        if (name == NULL || name[0] == '\0' || section == SHN_UNDEF ||
            (type != STT_FUNC && type != STT_GNU_IFUNC) ||
            address < tables->module.start || address >= tables->module.end) {
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
 * size (some are written in assembly) reaches to the next one. */
static void functions_settle(struct symbol_tables *tables)
{
    struct symbol_function *functions = (void *)tables->functions.data;
    size_t count = tables->functions.length / sizeof(*functions);
    if (count == 0) {
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
        uintptr_t next = i + 1 < kept ? functions[i + 1].start : tables->module.end;
        if (functions[i].bytes == 0) {
            functions[i].bytes = next - functions[i].start;
        }
    }
    tables->functions_count = kept;
}

/* Whether the mapped file itself holds line tables. Detached ones are not read: those
 * of the C library alone take longer than everything else together. */
static bool module_has_lines(Dwfl_Module *module)
{
    GElf_Addr bias = 0;
    Elf *elf = dwfl_module_getelf(module, &bias);
    size_t names = 0;
    if (elf == NULL || elf_getshdrstrndx(elf, &names) != 0) {
        return false;
    }
    for (Elf_Scn *section = elf_nextscn(elf, NULL); section != NULL;
         section = elf_nextscn(elf, section)) {
        GElf_Shdr header;
        const char *name = NULL;
        if (gelf_getshdr(section, &header) != NULL && header.sh_type == SHT_PROGBITS) {
            name = elf_strptr(elf, names, header.sh_name);
        }
        if (name != NULL && strcmp(name, ".debug_line") == 0) {
            return true;
        }
    }
    return false;
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

/* Adds the rows of one compilation unit. */
static void lines_collect_unit(Dwarf_Die *unit, Dwarf_Addr bias,
                               struct symbol_tables *tables)
{
    Dwarf_Lines *rows = NULL;
    size_t count = 0;
    if (dwarf_getsrclines(unit, &rows, &count) != 0) {
        return;
    }
    Dwarf_Attribute attribute;
    const char *tree = dwarf_formstring(dwarf_attr(unit, DW_AT_comp_dir, &attribute));
    const char *last_file = NULL;
    struct symbol_line line = {0};
    for (size_t i = 0; i < count; i++) {
        Dwarf_Line *row = dwarf_onesrcline(rows, i);
        Dwarf_Addr address = 0;
        int number = 0;
        bool ends = false;
        const char *file = dwarf_linesrc(row, NULL, NULL);
        if (dwarf_lineaddr(row, &address) != 0 || dwarf_lineno(row, &number) != 0 ||
            dwarf_lineendsequence(row, &ends) != 0 || file == NULL ||
            (number == 0 && !ends)) {
            continue;
        }
        if (file != last_file) {
            line.file = string_add(&tables->strings, file, strlen(file));
            line.file_in_tree = line.file + tree_prefix(file, tree);
            last_file = file;
        }
        line.start = address + bias;
        line.line = ends ? 0 : (uint32_t)number;
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

static void lines_collect(Dwfl_Module *module, struct symbol_tables *tables)
{
    Dwarf_Addr bias = 0;
    Dwarf_Die *unit = NULL;
    while ((unit = dwfl_module_nextcu(module, unit, &bias)) != NULL) {
        lines_collect_unit(unit, bias, tables);
    }
    if (tables->lines_count > 0 && tables->lines.error == 0) {
        qsort(tables->lines.data, tables->lines_count, sizeof(struct symbol_line),
              line_compare);
    }
}

/* libdw's module for a mapping, or NULL. For an address after its last module libdw
 * returns that last one, so the range is checked. */
static Dwfl_Module *module_find(Dwfl *dwfl, const struct mapping *mapping)
{
    Dwfl_Module *module = dwfl_addrmodule(dwfl, mapping->start);
    Dwarf_Addr end = 0;
    if (module != NULL) {
        dwfl_module_info(module, NULL, NULL, &end, NULL, NULL, NULL, NULL);
    }
    return mapping->start < end ? module : NULL;
}

int probe_symbol_reader_read(struct symbol_reader *reader,
                             const struct mapping *mapping,
                             struct symbol_tables *ret_tables)
{
    struct symbol_tables tables = {.module = {.start = mapping->start,
                                              .end = mapping->end,
                                              .offset = mapping->offset}};
    uint32_t path = string_add(&tables.strings, mapping->path, strlen(mapping->path));
    char id[2 * BUILD_ID_MAX + 1] = "";
    Dwfl_Module *module = module_find(reader->dwfl, mapping);
    if (module != NULL) {
        functions_collect(module, &tables);
        if (module_has_lines(module)) {
            lines_collect(module, &tables);
        }
        const unsigned char *bits = NULL;
        GElf_Addr address = 0;
        int count = dwfl_module_build_id(module, &bits, &address);
        build_id_format(bits, count, id);
    }
    uint32_t build_id = string_add(&tables.strings, id, strlen(id));
    if (tables.strings.error != 0 || tables.functions.error != 0 ||
        tables.lines.error != 0) {
        buffer_release(&tables.strings);
        buffer_release(&tables.functions);
        buffer_release(&tables.lines);
        return -ENOMEM;
    }
    functions_settle(&tables);
    tables.module.path = tables.strings.data + path;
    tables.module.build_id = tables.strings.data + build_id;
    *ret_tables = tables;
    return 0;
}

const struct symbol_function *
probe_symbol_tables_functions(const struct symbol_tables *tables)
{
    return (const struct symbol_function *)(const void *)tables->functions.data;
}

const struct symbol_line *probe_symbol_tables_lines(const struct symbol_tables *tables)
{
    return (const struct symbol_line *)(const void *)tables->lines.data;
}
