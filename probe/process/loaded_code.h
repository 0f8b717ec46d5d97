/*
 * Whose code an address belongs to.
 */
#ifndef PROBE_PROCESS_LOADED_CODE_H
#define PROBE_PROCESS_LOADED_CODE_H

#include <link.h>
#include <stdint.h>

#include "base/range.h"

/* The segment of the program, or of a loaded library, in which the address lies: all
 * the code of that file, for the address of a function. Empty if it lies in none. Takes
 * the dynamic loader's lock: not in a signal handler. */
struct range probe_loaded_code(uintptr_t address);

/* The same in this file alone. */
struct range probe_loaded_segment(const struct dl_phdr_info *file, uintptr_t address);

#endif
