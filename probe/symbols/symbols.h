/*
 * Which function, file and line an address belongs to. elfutils' libdw reads them once
 * from the program and its libraries into our own tables, and its session is then
 * closed. So a look-up takes no lock, opens no file and allocates nothing: it works at
 * the heap's ceiling and without a free descriptor. It costs one search in a sorted
 * table. In a program that is not ours, see probe_symbols_read_when_needed.
 *
 * Do not call probe_symbols_load from a signal handler or while the allocator's lock is
 * held: libdw allocates. probe_symbols_find can be called anywhere.
 */
#ifndef PROBE_SYMBOLS_SYMBOLS_H
#define PROBE_SYMBOLS_SYMBOLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "probe/symbols/module.h"

/* What is known about an address. The strings live as long as the process, except that
 * both names may point to `made_up`: so do not copy the struct. */
struct symbol {
    const char *function;
    const char *system_name;  /* as the linker knows it: a C++ name is mangled there */
    uintptr_t start;          /* the function's first address */
    const char *file;         /* as in the debug information; NULL: not known */
    const char *file_in_tree; /* the same, relative to the directory of compilation */
    unsigned line;            /* 0: not known */
    char made_up[96];
};

/* Reads the tables of the program and of every mapped library that has not been read
 * yet. Does nothing if no library was loaded or unloaded since the last call. Call it
 * once at start, before the heap profile begins, and again whenever the stacks of a
 * profile have been taken. Returns 0; or -errno, and then keeps what it could read. */
int probe_symbols_load(void);

/* For a program that is not ours, where nothing is read before the first profile wants
 * it: from now on probe_symbols_load only finds the mappings, and probe_symbols_find
 * reads a file at the first address in it. It may then open files and allocate, and
 * takes a lock; one thread alone should call it, with 256 KiB of stack. C++ names are
 * demangled, if the program has libstdc++; line tables are read up to a size, and
 * detached ones too; and detached symbols that are installed later are noticed by the
 * next probe_symbols_load.
 *
 * `interrupted` is called while files are read. Once it returns true reading ends soon:
 * names are then made up, and the file is read another time. NULL: never. */
void probe_symbols_read_when_needed(bool (*interrupted)(void));

/* In bytes of .debug_line: a MiB takes about 0.3 s to read, and 17 MiB of memory. The
 * second limit is for detached ones of libraries; that of the C library is larger. */
#define SYMBOLS_LINES_MAX ((uint64_t)8 * 1024 * 1024)
#define SYMBOLS_LINES_DETACHED_MAX ((uint64_t)1024 * 1024)

/* Reads all that is mapped now, before the files are out of reach: before a chroot, or
 * before privileges are dropped. */
void probe_symbols_read_all(void);

/* In a forked child, which has one thread. */
void probe_symbols_fork_child(void);

/* Whether names can be read: libdw is there. Opens it. */
bool probe_symbols_readable(void);

/* Looks up an address inside an instruction: for a return address, subtract one first.
 *
 * Names come from the symbol table, or from the detached one that Debian's -dbg and
 * -dbgsym packages install. A static function of a stripped library has no name. It
 * gets one from library and offset ("libcivetweb.so.1+0x8a40"), because the nearest
 * exported function is a different function.
 *
 * Returns true; or false if no module is mapped there, and then the name is the
 * address. */
bool probe_symbols_find(uintptr_t address, struct symbol *ret_symbol);

/* A variable that lives as long as the program, or as a thread. The strings live as
 * long as the process. */
struct symbol_of_data {
    const char *name;
    const char *file_in_tree; /* where it is declared; NULL: not known */
    unsigned line;            /* 0: not known */
    uintptr_t start;          /* as what was looked up */
    uintptr_t bytes;
};

/* Looks up the variable at `address`; for a thread-local one `address` is the offset
 * among those of its file. `code` is any address in the code of the same program or
 * library. The first call for a file opens it, takes a lock and allocates. Returns
 * false if no variable is known there. */
bool probe_symbols_find_data(uintptr_t code, bool thread_local, uintptr_t address,
                             struct symbol_of_data *ret_symbol);

/* The module that holds the address, or NULL. */
const struct module *probe_symbols_module(uintptr_t address);

/* Whether the module's lines were left out because there are too many. False as long as
 * nothing has been read of it. */
bool probe_symbols_lines_left_out(const struct module *module);

/* Walks the modules that are still mapped: returns the first one from *number on, and
 * sets *number to the number after it. Start with 0, which is the program. NULL after
 * the last. */
const struct module *probe_symbols_module_next(size_t *number);

/* How many modules have been found since the start. It changes only when a new mapping
 * was found, or when the names of an old one could not be read at once: so as long as
 * it is the same, names that were looked up before are still right. */
size_t probe_symbols_modules_read(void);

#endif
