/*
 * The list of modules and the searches in it. Each module is read once, under a lock,
 * then published by raising `modules_count`, and never changed or freed after that. So
 * readers need no lock.
 */
#include "probe/symbols/symbols.h"

#include <errno.h>
#include <link.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unwind.h>

#include "base/buffer.h"
#include "probe/stacks/maps.h"
#include "probe/symbols/symbols_read.h"

/* A typical process maps some fifty files. Modules beyond this number have no names. */
#define MODULES_MAX 512

static struct symbol_tables modules[MODULES_MAX];
static atomic_size_t modules_count;
static pthread_mutex_t load_lock = PTHREAD_MUTEX_INITIALIZER;
/* The loader's count at the last load; 0: never loaded. */
static unsigned long long load_generation;

/* The dynamic loader counts how many libraries were loaded and unloaded:
 * dl_iterate_phdr(3). */
static int generation_read(struct dl_phdr_info *info, size_t size, void *argument)
{
    (void)size;
    unsigned long long *generation = argument;
    *generation = 1 + info->dlpi_adds + info->dlpi_subs;
    return 1;
}

static bool table_matches(const struct symbol_tables *tables,
                          const struct mapping *mapping)
{
    return !atomic_load(&tables->gone) && tables->module.start == mapping->start &&
           tables->module.end == mapping->end &&
           strcmp(tables->module.path, mapping->path) == 0;
}

/* Marks the modules that are no longer mapped, or whose addresses now belong to another
 * mapping. */
static void modules_retire(const struct maps *maps)
{
    const struct mapping *entries = probe_maps_entries(maps);
    size_t count = atomic_load(&modules_count);
    for (size_t i = 0; i < count; i++) {
        bool mapped = false;
        for (size_t j = 0; j < maps->count && !mapped; j++) {
            mapped = table_matches(&modules[i], &entries[j]);
        }
        if (!mapped) {
            atomic_store(&modules[i].gone, true);
        }
    }
}

static bool module_known(const struct mapping *mapping)
{
    size_t count = atomic_load(&modules_count);
    for (size_t i = 0; i < count; i++) {
        if (table_matches(&modules[i], mapping)) {
            return true;
        }
    }
    return false;
}

static int modules_add(const struct maps *maps)
{
    struct symbol_reader *reader = NULL;
    const struct mapping *entries = probe_maps_entries(maps);
    int error = 0;
    for (size_t i = 0; i < maps->count && error == 0; i++) {
        if (module_known(&entries[i])) {
            continue;
        }
        size_t next = atomic_load(&modules_count);
        if (next == MODULES_MAX) {
            error = -ENOSPC;
        } else if (reader == NULL) {
            error = probe_symbol_reader_open(&reader);
        }
        if (error == 0) {
            error = probe_symbol_reader_read(reader, &entries[i], &modules[next]);
        }
        if (error == 0) {
            atomic_store(&modules_count, next + 1);
        }
    }
    probe_symbol_reader_close(reader);
    return error;
}

int probe_symbols_load(void)
{
    unsigned long long generation = 0;
    dl_iterate_phdr(generation_read, &generation);
    int error = 0;
    struct maps maps = {0};
    pthread_mutex_lock(&load_lock);
    if (generation != load_generation) {
        error = probe_maps_read(&maps);
        if (error == 0) {
            modules_retire(&maps);
            error = modules_add(&maps);
        }
        if (error == 0) {
            load_generation = generation;
        }
    }
    pthread_mutex_unlock(&load_lock);
    probe_maps_release(&maps);
    return error;
}

static const struct symbol_tables *tables_find(uintptr_t address)
{
    size_t count = atomic_load(&modules_count);
    for (size_t i = 0; i < count; i++) {
        const struct symbol_tables *tables = &modules[i];
        if (address >= tables->module.start && address < tables->module.end &&
            !atomic_load(&tables->gone)) {
            return tables;
        }
    }
    return NULL;
}

/* The function that holds the address, or NULL. */
static const struct symbol_function *function_find(const struct symbol_tables *tables,
                                                   uintptr_t address)
{
    const struct symbol_function *functions = probe_symbol_tables_functions(tables);
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

/* The last row of the line table that begins at or before the address. */
static const struct symbol_line *line_find(const struct symbol_tables *tables,
                                           uintptr_t address)
{
    const struct symbol_line *lines = probe_symbol_tables_lines(tables);
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

/* Makes a name from the library's file name and an offset in the file: where the
 * function begins, if the unwinder's tables know it, or else the address. */
static void name_make_up(const struct module *module, uintptr_t address,
                         struct symbol *symbol)
{
    void *start = _Unwind_FindEnclosingFunction((char *)address + 1);
    if ((uintptr_t)start >= module->start && (uintptr_t)start <= address) {
        symbol->start = (uintptr_t)start;
    }
    const char *slash = strrchr(module->path, '/');
    snprintf(symbol->made_up, sizeof(symbol->made_up), "%.64s+0x%llx",
             slash == NULL ? module->path : slash + 1,
             (unsigned long long)(symbol->start - module->start + module->offset));
    symbol->function = symbol->made_up;
}

bool probe_symbols_find(uintptr_t address, struct symbol *ret_symbol)
{
    const struct symbol_tables *tables = tables_find(address);
    ret_symbol->start = address;
    ret_symbol->file = NULL;
    ret_symbol->file_in_tree = NULL;
    ret_symbol->line = 0;
    if (tables == NULL) {
        snprintf(ret_symbol->made_up, sizeof(ret_symbol->made_up), "0x%llx",
                 (unsigned long long)address);
        ret_symbol->function = ret_symbol->made_up;
        return false;
    }
    const struct symbol_function *function = function_find(tables, address);
    if (function == NULL) {
        name_make_up(&tables->module, address, ret_symbol);
    } else {
        ret_symbol->start = function->start;
        ret_symbol->function = tables->strings.data + function->name;
    }
    const struct symbol_line *line = line_find(tables, address);
    if (line != NULL) {
        ret_symbol->file = tables->strings.data + line->file;
        ret_symbol->file_in_tree = tables->strings.data + line->file_in_tree;
        ret_symbol->line = line->line;
    }
    return true;
}

const struct module *probe_symbols_module(uintptr_t address)
{
    const struct symbol_tables *tables = tables_find(address);
    return tables == NULL ? NULL : &tables->module;
}

const struct module *probe_symbols_module_next(size_t *number)
{
    size_t count = atomic_load(&modules_count);
    while (*number < count) {
        const struct symbol_tables *tables = &modules[(*number)++];
        if (!atomic_load(&tables->gone)) {
            return &tables->module;
        }
    }
    return NULL;
}

size_t probe_symbols_modules_read(void)
{
    return atomic_load(&modules_count);
}
