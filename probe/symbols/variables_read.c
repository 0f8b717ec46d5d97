/*
 * The symbol table has every variable with its place, unless it was stripped. DWARF
 * adds file and line: its entries (DIEs) are a tree, with one unit for each source
 * file, in it the functions, in these the blocks; any of them may have static
 * variables.
 */
#include "probe/symbols/variables_read.h"

#include <ctype.h>
#include <dwarf.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "probe/symbols/libdw.h"

#define STEP 4096    /* entries between two looks at whether to go on */
#define DEPTH_MAX 32 /* of blocks in a function */

struct reading {
    struct symbol_session session;
    struct symbol_variables *variables;
    Dwarf_Addr bias;    /* of the unit */
    const char *tree;   /* directory in which the unit was compiled; may be NULL */
    const char *source; /* the unit's source file; may be NULL */
    unsigned long seen;
};

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

/* The length of a name without what is not the source's: the version of
 * "environ@@GLIBC_2.2.5", and the number by which gcc tells the static variables of
 * functions apart, as in "count.0". */
static size_t name_length(const char *name)
{
    size_t length = strcspn(name, "@");
    size_t digits = 0;
    while (digits < length && isdigit((unsigned char)name[length - digits - 1])) {
        digits++;
    }
    bool numbered =
        digits > 0 && length > digits + 1 && name[length - digits - 1] == '.';
    return numbered ? length - digits - 1 : length;
}

static struct symbol_variable *variable_at(const struct symbol_variables *variables,
                                           size_t number)
{
    return (struct symbol_variable *)(void *)variables->entries.data + number;
}

/* ---- The symbol table ---- */

static void symbol_add(struct reading *reading, const char *name,
                       const GElf_Sym *symbol, GElf_Addr address)
{
    struct symbol_variables *variables = reading->variables;
    bool local = GELF_ST_TYPE(symbol->st_info) == STT_TLS;
    struct symbol_variable variable = {
        .start = local ? symbol->st_value : address,
        .bytes = symbol->st_size,
        .thread_local = local,
        .name = string_add(&variables->strings, name, name_length(name)),
    };
    buffer_append(&variables->entries, &variable, sizeof(variable));
    variables->count++;
}

static void symbols_collect(struct reading *reading)
{
    const struct libdw *libdw = reading->session.libdw;
    int count = libdw->dwfl_module_getsymtab(reading->session.module);
    for (int i = 1; i < count; i++) {
        GElf_Sym symbol;
        GElf_Addr address = 0;
        GElf_Word section = SHN_UNDEF;
        if (i % STEP == 0 && probe_symbol_session_interrupted(&reading->session)) {
            return;
        }
        const char *name = libdw->dwfl_module_getsym_info(
            reading->session.module, i, &symbol, &address, &section, NULL, NULL);
        int type = GELF_ST_TYPE(symbol.st_info);
        if (name != NULL && name[0] != '\0' && section != SHN_UNDEF &&
            symbol.st_size > 0 && (type == STT_OBJECT || type == STT_TLS)) {
            symbol_add(reading, name, &symbol, address);
        }
    }
}

/* By place; of several names at one place the one without underscores, then the larger
 * variable, comes first. */
static int variable_compare(const void *left, const void *right)
{
    const struct symbol_variable *a = left;
    const struct symbol_variable *b = right;
    if (a->thread_local != b->thread_local) {
        return a->thread_local ? 1 : -1;
    }
    if (a->start != b->start) {
        return a->start < b->start ? -1 : 1;
    }
    if (a->bytes != b->bytes) {
        return a->bytes > b->bytes ? -1 : 1;
    }
    return a->name < b->name ? -1 : a->name > b->name;
}

static void variables_settle(struct symbol_variables *variables)
{
    if (variables->count > 0 && variables->entries.error == 0) {
        qsort(variables->entries.data, variables->count, sizeof(struct symbol_variable),
              variable_compare);
    }
}

/* ---- Where they are declared ---- */

/* The place of a variable that has always the same: its location is one operation.
 * Returns false for all others. */
static bool place_read(struct reading *reading, Dwarf_Die *die, bool *ret_local,
                       uintptr_t *ret_place)
{
    const struct libdw *libdw = reading->session.libdw;
    Dwarf_Attribute attribute;
    Dwarf_Attribute indirect;
    Dwarf_Op *operations = NULL;
    size_t count = 0;
    if (libdw->dwarf_attr(die, DW_AT_location, &attribute) == NULL ||
        libdw->dwarf_getlocation(&attribute, &operations, &count) != 0 || count == 0) {
        return false;
    }
    *ret_local = count == 2 && (operations[1].atom == DW_OP_GNU_push_tls_address ||
                                operations[1].atom == DW_OP_form_tls_address);
    if (count != (*ret_local ? 2U : 1U)) {
        return false;
    }
    Dwarf_Addr address = operations[0].number;
    switch (operations[0].atom) {
    case DW_OP_addr:
        *ret_place = address + reading->bias;
        return true;
    case DW_OP_addrx: /* its place is elsewhere, at this index */
        if (libdw->dwarf_getlocation_attr(&attribute, operations, &indirect) != 0 ||
            libdw->dwarf_formaddr(&indirect, &address) != 0) {
            return false;
        }
        *ret_place = address + reading->bias;
        return true;
    case DW_OP_const4u:
    case DW_OP_const8u:
        *ret_place = address;
        return *ret_local;
    default:
        return false;
    }
}

/* The file in which a variable is declared; NULL: not known. In DWARF 5 file 0 is the
 * unit's source file, which clang makes use of; libdw 0.188 takes it for none. `path`
 * is for a made-up path. */
static const char *file_read(struct reading *reading, Dwarf_Die *die, char *path,
                             size_t path_bytes)
{
    const struct libdw *libdw = reading->session.libdw;
    Dwarf_Attribute attribute;
    Dwarf_Word number = 1;
    const char *file = libdw->dwarf_decl_file(die);
    if (file != NULL) {
        return file;
    }
    if (libdw->dwarf_attr_integrate(die, DW_AT_decl_file, &attribute) == NULL ||
        libdw->dwarf_formudata(&attribute, &number) != 0 || number != 0 ||
        reading->source == NULL) {
        return NULL;
    }
    if (reading->source[0] == '/' || reading->tree == NULL) {
        return reading->source;
    }
    snprintf(path, path_bytes, "%s/%s", reading->tree, reading->source);
    return path;
}

/* clang names a static variable "function.variable"; with DWARF it has its own name. */
static void name_choose(struct reading *reading, Dwarf_Die *die,
                        struct symbol_variable *variable)
{
    struct buffer *strings = &reading->variables->strings;
    const char *name = strings->data + variable->name;
    const char *own = reading->session.libdw->dwarf_diename(die);
    const char *dot = strrchr(name, '.');
    if (own != NULL && dot != NULL && strcmp(dot + 1, own) == 0) {
        variable->name += (uint32_t)(dot + 1 - name);
    }
}

static void variable_declare(struct reading *reading, Dwarf_Die *die)
{
    const struct libdw *libdw = reading->session.libdw;
    struct symbol_variables *variables = reading->variables;
    char path[PATH_MAX];
    bool local;
    uintptr_t place;
    int line = 0;
    const char *file = file_read(reading, die, path, sizeof(path));
    if (file == NULL || libdw->dwarf_decl_line(die, &line) != 0 || line <= 0 ||
        !place_read(reading, die, &local, &place)) {
        return;
    }
    const struct symbol_variable *found =
        probe_symbol_variables_find(variables, local, place);
    if (found == NULL || found->start != place) {
        return;
    }
    struct symbol_variable *variable =
        variable_at(variables, (size_t)(found - variable_at(variables, 0)));
    size_t length = reading->tree == NULL ? 0 : strlen(reading->tree);
    bool in_tree =
        length > 0 && strncmp(file, reading->tree, length) == 0 && file[length] == '/';
    variable->file = string_add(&variables->strings, file, strlen(file));
    variable->file_in_tree = variable->file + (in_tree ? (uint32_t)length + 1 : 0);
    variable->line = (uint32_t)line;
    name_choose(reading, die, variable);
}

/* Walks over the entries inside `parent`, and over what is in those. */
static void entries_walk(struct reading *reading, Dwarf_Die *parent, unsigned depth)
{
    const struct libdw *libdw = reading->session.libdw;
    Dwarf_Die die;
    if (depth > DEPTH_MAX || libdw->dwarf_child(parent, &die) != 0) {
        return;
    }
    do {
        if (++reading->seen % STEP == 0 &&
            probe_symbol_session_interrupted(&reading->session)) {
            return;
        }
        switch (libdw->dwarf_tag(&die)) {
        case DW_TAG_variable:
            variable_declare(reading, &die);
            break;
        case DW_TAG_subprogram:
        case DW_TAG_lexical_block:
        case DW_TAG_namespace:
            entries_walk(reading, &die, depth + 1);
            break;
        default:
            break;
        }
    } while (libdw->dwarf_siblingof(&die, &die) == 0);
}

static void declarations_collect(struct reading *reading)
{
    const struct libdw *libdw = reading->session.libdw;
    Dwarf_Die *unit = NULL;
    while (!reading->session.interrupted &&
           (unit = libdw->dwfl_module_nextcu(reading->session.module, unit,
                                             &reading->bias)) != NULL) {
        Dwarf_Attribute attribute;
        reading->tree = libdw->dwarf_formstring(
            libdw->dwarf_attr(unit, DW_AT_comp_dir, &attribute));
        reading->source = libdw->dwarf_diename(unit);
        entries_walk(reading, unit, 0);
    }
}

int probe_symbol_variables_read(const struct symbol_request *request,
                                struct symbol_variables *ret_variables)
{
    struct symbol_variables variables = {.count = 0};
    struct reading reading = {.variables = &variables};
    struct symbol_session *session = &reading.session;
    bool left_out = false;
    int error = probe_symbol_session_open(request, session);
    if (error == 0 && session->module != NULL) {
        symbols_collect(&reading);
        variables_settle(&variables);
        if (probe_symbol_session_lines_wanted(session, &left_out)) {
            declarations_collect(&reading);
        }
    }
    probe_symbol_session_close(session);
    if (variables.strings.error != 0 || variables.entries.error != 0) {
        error = -ENOMEM;
    }
    if (error == 0 && session->interrupted) {
        error = -ECANCELED;
    }
    if (error != 0) {
        probe_symbol_variables_release(&variables);
        return error;
    }
    *ret_variables = variables;
    return 0;
}

void probe_symbol_variables_release(struct symbol_variables *variables)
{
    buffer_release(&variables->strings);
    buffer_release(&variables->entries);
    *variables = (struct symbol_variables){.count = 0};
}

size_t probe_symbol_variables_bytes(const struct symbol_variables *variables)
{
    return variables->strings.capacity + variables->entries.capacity;
}

const struct symbol_variable *
probe_symbol_variables_find(const struct symbol_variables *variables, bool thread_local,
                            uintptr_t address)
{
    size_t low = 0;
    size_t high = variables->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct symbol_variable *variable = variable_at(variables, middle);
        bool before = variable->thread_local == thread_local
                          ? variable->start <= address
                          : !variable->thread_local;
        if (before) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    /* The last one at or before it; of several at one place, the first. */
    const struct symbol_variable *found = NULL;
    for (; low > 0; low--) {
        const struct symbol_variable *variable = variable_at(variables, low - 1);
        if (variable->thread_local != thread_local ||
            (found != NULL && variable->start != found->start)) {
            break;
        }
        found = variable;
    }
    return found != NULL && address - found->start < found->bytes ? found : NULL;
}
