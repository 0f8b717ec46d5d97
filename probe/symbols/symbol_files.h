/*
 * The files whose tables have been read, each once however often it is mapped: a
 * plug-in that is loaded and unloaded again and again takes memory once. Their number
 * and their memory are limited. Only symbols.c uses this one.
 */
#ifndef PROBE_SYMBOLS_SYMBOL_FILES_H
#define PROBE_SYMBOLS_SYMBOL_FILES_H

#include <stdbool.h>
#include <sys/stat.h>

#include "probe/symbols/elf_facts.h"
#include "probe/symbols/symbols_read.h"
#include "probe/symbols/variables_read.h"

struct symbol_file {
    const char *path;
    struct stat status;     /* tells it from others at the same path */
    struct elf_facts facts; /* of its headers */
    struct symbol_tables tables;
    struct symbol_variables variables;
    bool variables_read;
    bool stale; /* its detached symbols were installed since: no longer used */
};

/* Where the tables come from. */
struct symbol_source {
    int fd;           /* of the file; stays the caller's */
    const char *path; /* lives as long as the process */
    bool is_program;  /* the program itself, not a library */
    bool when_needed; /* as probe_symbols_read_when_needed says */
    bool (*interrupted)(void);
};

/* Finds the file, or reads it. Returns 0, and the file lives as long as the process; or
 * -errno: -ENOEXEC if it is no ELF file, -ENOSPC if the limits are reached, and the
 * errors of probe_symbol_tables_read. Call it under a lock. */
int probe_symbol_files_get(const struct symbol_source *source,
                           const struct symbol_file **ret_file);

/* The variables of a file that probe_symbol_files_get has given, read now if they have
 * not been; `source` is the same file. They live as long as the process. NULL: they
 * cannot be read. Call it under the same lock. */
const struct symbol_variables *
probe_symbol_files_variables(const struct symbol_file *file,
                             const struct symbol_source *source);

/* Marks as stale the files whose detached symbols were not there when they were read,
 * and are now. Returns whether there are any. Call it under the same lock. */
bool probe_symbol_files_refresh(void);

#endif
