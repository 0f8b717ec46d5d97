/*
 * The list of modules and the searches in it. Each module is found once, under a lock,
 * then published by raising `modules_count`. Its tables are published by setting
 * `read`, and never changed or freed after that. So readers need no lock. Modules of
 * one file share its tables.
 */
#include "probe/symbols/symbols.h"

#include <errno.h>
#include <link.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>
#include <unwind.h>

#include "base/size.h"
#include "probe/stacks/maps.h"
#include "probe/symbols/demangle.h"
#include "probe/symbols/kept_text.h"
#include "probe/symbols/libdw.h"
#include "probe/symbols/mapped_file.h"
#include "probe/symbols/symbol_files.h"

/* A typical process maps some fifty files. Modules beyond this number have no names. */
#define MODULES_MAX 4096

struct listed {
    struct module module;
    atomic_bool gone;               /* it is no longer mapped */
    atomic_bool read;               /* what follows is valid */
    uintptr_t bias;                 /* an address in memory, minus that in the file */
    const struct symbol_file *file; /* NULL: it cannot be read */
};

static struct listed modules[MODULES_MAX];
static atomic_size_t modules_count;
static atomic_size_t changes; /* probe_symbols_modules_read */
static pthread_mutex_t load_lock = PTHREAD_MUTEX_INITIALIZER;
/* The loader's count at the last load; 0: never loaded. */
static unsigned long long load_generation;
static atomic_bool when_needed;
static bool (*reading_interrupted)(void);
/* Whether an address in no module may be in a mapping that is new since the last
 * probe_symbols_load: the loader does not count those that it did not make. */
static atomic_bool may_list_again;

/* ---- The list ---- */

/* The dynamic loader counts how many libraries were loaded and unloaded:
 * dl_iterate_phdr(3). */
static int generation_read(struct dl_phdr_info *info, size_t size, void *argument)
{
    (void)size;
    unsigned long long *generation = argument;
    *generation = 1 + info->dlpi_adds + info->dlpi_subs;
    return 1;
}

static bool module_is(const struct module *module, const struct mapping *mapping)
{
    return module->start == mapping->start && module->end == mapping->end &&
           module->offset == mapping->offset &&
           strcmp(module->path, mapping->path) == 0;
}

/* Marks the modules that are no longer mapped, or whose addresses now belong to another
 * mapping. */
static void modules_retire(const struct maps *maps)
{
    const struct mapping *entries = probe_maps_entries(maps);
    size_t count = atomic_load(&modules_count);
    for (size_t i = 0; i < count; i++) {
        bool mapped = atomic_load(&modules[i].gone);
        for (size_t j = 0; j < maps->count && !mapped; j++) {
            mapped = module_is(&modules[i].module, &entries[j]);
        }
        if (!mapped) {
            atomic_store(&modules[i].gone, true);
        }
    }
}

static bool is_program(const struct module *module)
{
    uintptr_t entry = getauxval(AT_ENTRY);
    return entry >= module->start && entry < module->end;
}

/* Opens the file of a module. Returns 0, and the caller closes the source's descriptor;
 * or -errno. */
static int source_open(const struct module *module, struct symbol_source *ret_source)
{
    struct mapping mapping = {.start = module->start,
                              .end = module->end,
                              .offset = module->offset,
                              .path = module->path};
    int fd = probe_mapped_file_open(&mapping, module->build_id);
    *ret_source = (struct symbol_source){.fd = fd,
                                         .path = module->path,
                                         .is_program = is_program(module),
                                         .when_needed = atomic_load(&when_needed),
                                         .interrupted = reading_interrupted};
    return fd < 0 ? fd : 0;
}

/* Reads the tables of a module. Returns 0, also if the file has none or is not there;
 * or -errno: it may work another time. */
static int module_read(struct listed *listed)
{
    const struct module *module = &listed->module;
    struct symbol_source source;
    uint64_t address = 0;
    int error = source_open(module, &source);
    if (error == 0) {
        error = probe_elf_address(source.fd, module->offset, &address);
        if (error == 0) {
            error = probe_symbol_files_get(&source, &listed->file);
        }
        close(source.fd);
    }
    if (error == -ENOMEM || error == -EMFILE || error == -ENFILE ||
        error == -ECANCELED) {
        return error;
    }
    listed->bias = module->start - (uintptr_t)address;
    atomic_store(&listed->read, true);
    return 0;
}

/* A module that was mapped before at the same place, from the same file. */
static struct listed *module_before(const struct mapping *mapping, const char *build_id)
{
    size_t count = atomic_load(&modules_count);
    for (size_t i = 0; i < count; i++) {
        const struct symbol_file *file = modules[i].file;
        if (atomic_load(&modules[i].gone) && module_is(&modules[i].module, mapping) &&
            build_id[0] != '\0' && strcmp(modules[i].module.build_id, build_id) == 0 &&
            (file == NULL || !file->stale)) {
            return &modules[i];
        }
    }
    return NULL;
}

/* Adds a mapping to the list. Returns 0 or -errno. */
static int module_add(const struct mapping *mapping)
{
    char build_id[BUILD_ID_TEXT_BYTES];
    probe_loaded_build_id(mapping->start, build_id);
    struct listed *before = module_before(mapping, build_id);
    if (before != NULL) {
        atomic_store(&before->gone, false);
        atomic_fetch_add(&changes, 1);
        return 0;
    }
    size_t next = atomic_load(&modules_count);
    if (next == MODULES_MAX) {
        return -ENOSPC;
    }
    struct listed *listed = &modules[next];
    listed->module = (struct module){.start = mapping->start,
                                     .end = mapping->end,
                                     .offset = mapping->offset,
                                     .path = probe_text_keep(mapping->path),
                                     .build_id = probe_text_keep(build_id)};
    if (listed->module.path == NULL || listed->module.build_id == NULL) {
        return -ENOMEM;
    }
    int error = atomic_load(&when_needed) ? 0 : module_read(listed);
    if (error == 0) {
        atomic_store(&modules_count, next + 1);
        atomic_fetch_add(&changes, 1);
    }
    return error;
}

static bool module_known(const struct mapping *mapping)
{
    size_t count = atomic_load(&modules_count);
    for (size_t i = 0; i < count; i++) {
        if (!atomic_load(&modules[i].gone) && module_is(&modules[i].module, mapping)) {
            return true;
        }
    }
    return false;
}

/* Brings the list up to date with the mappings. Returns 0 or -errno. */
static int modules_list(void)
{
    struct maps maps = {0};
    int error = probe_maps_read(&maps);
    if (error == 0) {
        modules_retire(&maps);
    }
    const struct mapping *entries = probe_maps_entries(&maps);
    for (size_t i = 0; i < maps.count && error == 0; i++) {
        if (!module_known(&entries[i])) {
            error = module_add(&entries[i]);
        }
    }
    probe_maps_release(&maps);
    return error;
}

/* Forgets the tables of files whose detached symbols were installed since. Returns
 * whether there are any. */
static bool modules_refresh(void)
{
    if (!probe_symbol_files_refresh()) {
        return false;
    }
    size_t count = atomic_load(&modules_count);
    for (size_t i = 0; i < count; i++) {
        if (modules[i].file != NULL && modules[i].file->stale) {
            atomic_store(&modules[i].gone, true);
        }
    }
    return true;
}

int probe_symbols_load(void)
{
    unsigned long long generation = 0;
    int error = 0;
    pthread_mutex_lock(&load_lock);
    if (!atomic_load(&when_needed)) {
        probe_libdw(); /* the loader counts it too */
    }
    dl_iterate_phdr(generation_read, &generation);
    bool refreshed = atomic_load(&when_needed) && modules_refresh();
    if (refreshed || generation != load_generation) {
        error = modules_list();
        load_generation = error == 0 ? generation : 0;
    }
    atomic_store(&may_list_again, atomic_load(&when_needed));
    pthread_mutex_unlock(&load_lock);
    return error;
}

/* ---- Reading when needed ---- */

void probe_symbols_read_when_needed(bool (*interrupted)(void))
{
    reading_interrupted = interrupted;
    atomic_store(&when_needed, true);
}

bool probe_symbols_readable(void)
{
    pthread_mutex_lock(&load_lock);
    bool readable = probe_libdw() != NULL;
    pthread_mutex_unlock(&load_lock);
    return readable;
}

static void module_read_now(struct listed *listed)
{
    pthread_mutex_lock(&load_lock);
    if (!atomic_load(&listed->read) && module_read(listed) != 0) {
        atomic_fetch_add(&changes, 1); /* the names of now are not the last word */
    }
    pthread_mutex_unlock(&load_lock);
}

void probe_symbols_read_all(void)
{
    probe_symbols_readable();
    probe_symbols_load();
    size_t count = atomic_load(&modules_count);
    for (size_t i = 0; i < count; i++) {
        if (!atomic_load(&modules[i].gone) && !atomic_load(&modules[i].read)) {
            module_read_now(&modules[i]);
        }
    }
}

void probe_symbols_fork_child(void)
{
    pthread_mutex_t unlocked = PTHREAD_MUTEX_INITIALIZER;
    load_lock = unlocked;
    load_generation = 0;
    probe_maps_fork_child();
}

static void list_again(void)
{
    pthread_mutex_lock(&load_lock);
    if (atomic_exchange(&may_list_again, false)) {
        modules_list();
    }
    pthread_mutex_unlock(&load_lock);
}

/* ---- Looking up ---- */

static struct listed *listed_find(uintptr_t address)
{
    size_t count = atomic_load(&modules_count);
    for (size_t i = 0; i < count; i++) {
        struct listed *listed = &modules[i];
        if (address >= listed->module.start && address < listed->module.end &&
            !atomic_load(&listed->gone)) {
            return listed;
        }
    }
    return NULL;
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
}

static const char *readable_name(const char *name)
{
    if (!atomic_load(&when_needed) || name[0] != '_') {
        return name;
    }
    pthread_mutex_lock(&load_lock);
    name = probe_demangle(name);
    pthread_mutex_unlock(&load_lock);
    return name;
}

/* Looks the address up in the tables of its file. */
static void tables_find(const struct listed *listed, uintptr_t address,
                        struct symbol *symbol)
{
    const struct symbol_tables *tables = &listed->file->tables;
    uintptr_t in_file = address - listed->bias;
    const struct symbol_function *function =
        probe_symbol_tables_function(tables, in_file);
    if (function != NULL) {
        symbol->start = function->start + listed->bias;
        symbol->system_name = tables->strings.data + function->name;
        symbol->function = readable_name(symbol->system_name);
    }
    const struct symbol_line *line = probe_symbol_tables_line(tables, in_file);
    if (line != NULL) {
        symbol->file = tables->strings.data + line->file;
        symbol->file_in_tree = tables->strings.data + line->file_in_tree;
        symbol->line = line->line;
    }
}

bool probe_symbols_find(uintptr_t address, struct symbol *ret_symbol)
{
    struct listed *listed = listed_find(address);
    if (listed == NULL && atomic_load(&may_list_again)) {
        list_again();
        listed = listed_find(address);
    }
    ret_symbol->function = ret_symbol->made_up;
    ret_symbol->system_name = ret_symbol->made_up;
    ret_symbol->start = address;
    ret_symbol->file = NULL;
    ret_symbol->file_in_tree = NULL;
    ret_symbol->line = 0;
    if (listed == NULL) {
        snprintf(ret_symbol->made_up, sizeof(ret_symbol->made_up), "0x%llx",
                 (unsigned long long)address);
        return false;
    }
    if (!atomic_load(&listed->read)) {
        module_read_now(listed);
    }
    if (atomic_load(&listed->read) && listed->file != NULL) {
        tables_find(listed, address, ret_symbol);
    }
    if (ret_symbol->function == ret_symbol->made_up) {
        name_make_up(&listed->module, address, ret_symbol);
    }
    return true;
}

/* libdw may use some 100 KiB of stack for them. */
#define VARIABLES_STACK_BYTES ((size_t)1024 * 1024)

struct variables_reading {
    const struct symbol_file *file;
    const struct symbol_source *source;
    const struct symbol_variables *variables;
};

static void *variables_read(void *argument)
{
    struct variables_reading *reading = argument;
    reading->variables = probe_symbol_files_variables(reading->file, reading->source);
    return NULL;
}

/* Reads the variables: on a thread with a stack that is large enough, unless the caller
 * is known to have one (probe_symbols_read_when_needed). */
static const struct symbol_variables *
variables_read_on_stack(const struct symbol_file *file,
                        const struct symbol_source *source)
{
    struct variables_reading reading = {file, source, NULL};
    pthread_attr_t attributes;
    pthread_t thread;
    if (atomic_load(&when_needed)) {
        variables_read(&reading);
        return reading.variables;
    }
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, VARIABLES_STACK_BYTES);
    if (pthread_create(&thread, &attributes, variables_read, &reading) == 0) {
        pthread_join(thread, NULL);
    }
    pthread_attr_destroy(&attributes);
    return reading.variables;
}

/* The variables of a file; NULL if they cannot be read. */
static const struct symbol_variables *variables_of(const struct listed *listed)
{
    const struct symbol_variables *variables = NULL;
    struct symbol_source source;
    pthread_mutex_lock(&load_lock);
    if (listed->file->variables_read) {
        variables = &listed->file->variables;
    } else if (source_open(&listed->module, &source) == 0) {
        variables = variables_read_on_stack(listed->file, &source);
        close(source.fd);
    }
    pthread_mutex_unlock(&load_lock);
    return variables;
}

bool probe_symbols_find_data(uintptr_t code, bool thread_local, uintptr_t address,
                             struct symbol_of_data *ret_symbol)
{
    struct listed *listed = listed_find(code);
    if (listed != NULL && !atomic_load(&listed->read)) {
        module_read_now(listed);
    }
    if (listed == NULL || !atomic_load(&listed->read) || listed->file == NULL) {
        return false;
    }
    const struct symbol_variables *variables = variables_of(listed);
    const struct symbol_variable *found =
        variables == NULL ? NULL
                          : probe_symbol_variables_find(
                                variables, thread_local,
                                thread_local ? address : address - listed->bias);
    if (found == NULL) {
        return false;
    }
    const char *strings = variables->strings.data;
    *ret_symbol = (struct symbol_of_data){
        .name = readable_name(strings + found->name),
        .file_in_tree = found->line == 0 ? NULL : strings + found->file_in_tree,
        .line = found->line,
        .start = found->start + (thread_local ? 0 : listed->bias),
        .bytes = found->bytes,
    };
    return true;
}

const struct module *probe_symbols_module(uintptr_t address)
{
    const struct listed *listed = listed_find(address);
    return listed == NULL ? NULL : &listed->module;
}

bool probe_symbols_lines_left_out(const struct module *module)
{
    const struct listed *listed = listed_find(module->start);
    return listed != NULL && atomic_load(&listed->read) && listed->file != NULL &&
           listed->file->tables.lines_left_out;
}

const struct module *probe_symbols_module_next(size_t *number)
{
    size_t count = atomic_load(&modules_count);
    while (*number < count) {
        const struct listed *listed = &modules[(*number)++];
        if (!atomic_load(&listed->gone)) {
            return &listed->module;
        }
    }
    return NULL;
}

size_t probe_symbols_modules_read(void)
{
    return atomic_load(&changes);
}
