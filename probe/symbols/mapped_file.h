/*
 * Opens the file behind a mapping of code. At the path of the mapping another file may
 * be by now: the program was built again or upgraded while it runs, or the process has
 * changed its root. So files are compared by their build ids: another file's names
 * would be wrong names.
 */
#ifndef PROBE_SYMBOLS_MAPPED_FILE_H
#define PROBE_SYMBOLS_MAPPED_FILE_H

#include <stdint.h>

#include "probe/stacks/maps.h"

/* Finds the build id that the library at `address` has in memory, according to the
 * dynamic loader. `ret_text` has BUILD_ID_TEXT_BYTES (elf_facts.h), and is "" if there
 * is none. */
void probe_loaded_build_id(uintptr_t address, char *ret_text);

/* Opens the mapped file; the kernel's [vdso] is copied into one. `build_id` is the one
 * in memory, or "". Returns a descriptor, which the caller closes; -ENOENT if there is
 * no such file any more, or none that can be trusted; or -errno. */
int probe_mapped_file_open(const struct mapping *mapping, const char *build_id);

/* Where detached symbols and lines are: "/usr/lib/debug". Only tests change it. */
extern const char *probe_debug_root;

/* Opens the file with the detached symbols and lines of a program or library: by its
 * build id, or by the name in .gnu_debuglink, if it then has the same build id. `path`
 * is that of the program or library. Returns a descriptor, which the caller closes, or
 * -ENOENT. elfutils' own search would also ask debuginfod servers over the network, and
 * a profile must not wait for that. */
int probe_debug_file_open(const char *path, const char *build_id,
                          const char *debug_link);

#endif
