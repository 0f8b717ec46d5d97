/*
 * Which function, file and line an address belongs to. All of it is read once, with
 * elfutils' libdw, from the program and its libraries into tables of our own; the
 * session with libdw is then closed. So a look-up takes no lock, opens no file and
 * allocates nothing: it works at the heap's ceiling and without descriptors, and a
 * second profile costs no more than a search in a sorted table.
 *
 * Never call probe_symbols_load where the allocator's lock or a signal handler may be
 * held: libdw allocates. probe_symbols_find may be called anywhere.
 */
#ifndef PROBE_SYMBOLS_SYMBOLS_H
#define PROBE_SYMBOLS_SYMBOLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "probe/symbols/module.h"

/* What is known of an address. The strings live as long as the process, but a name that
 * had to be made up stands in `made_up`: so don't copy the struct. */
struct symbol {
    const char *function;
    uintptr_t start;          /* the function's first address */
    const char *file;         /* as the debug information says it, or NULL */
    const char *file_in_tree; /* the same, relative to where it was compiled */
    unsigned line;            /* 0: not known */
    char made_up[96];
};

/* Reads the tables of the program and of every library that is mapped and has not been
 * read yet: a library may be loaded later. Does nothing if no library came or went. To
 * be called once at start, before the heap profile begins, and after a profile's stacks
 * were taken. Returns 0, or -errno with what could be read in place. */
int probe_symbols_load(void);

/* Looks up an address inside an instruction: of a return address, subtract one first.
 *
 * Names come from the symbol table, or from the detached one that Debian's -dbg
 * packages install. A static function of a stripped library has no name: it is called
 * by library and offset ("libcivetweb.so.1+0x8a40") rather than by the nearest exported
 * function, which has nothing to do with it. Returns false, and a name that is the
 * address, if no module is mapped there. */
bool probe_symbols_find(uintptr_t address, struct symbol *ret_symbol);

/* The module that holds the address, or NULL. */
const struct module *probe_symbols_module(uintptr_t address);

/* The mapped modules, one after the other: number 0 is the program. NULL behind the
 * last; a module that was unmapped is skipped, so numbers only grow. */
const struct module *probe_symbols_module_next(size_t *number);

/* How many modules have been read since the start: it stands still while no library
 * comes or goes. */
size_t probe_symbols_modules_read(void);

#endif
