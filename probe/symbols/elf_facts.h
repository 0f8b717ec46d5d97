/*
 * What the headers of an ELF file say, read without libdw: that costs a few small
 * reads, so it can be done for every mapped file. A damaged file gives fewer facts, and
 * does no harm.
 *
 * Source: elf(5); the ELF gABI, "Compressed sections".
 */
#ifndef PROBE_SYMBOLS_ELF_FACTS_H
#define PROBE_SYMBOLS_ELF_FACTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BUILD_ID_BYTES_MAX 32 /* usually 20 */
#define BUILD_ID_TEXT_BYTES (2 * BUILD_ID_BYTES_MAX + 1)

struct elf_facts {
    char build_id[BUILD_ID_TEXT_BYTES]; /* in hexadecimal; "": none */
    bool has_symbols;    /* a whole symbol table, with static functions */
    uint64_t line_bytes; /* of .debug_line, uncompressed; 0: none */
    char debug_link[64]; /* file name in .gnu_debuglink; "": none */
};

/* Reads the facts. Returns 0; -ENOEXEC if it is no ELF file of this kind of processor;
 * or -errno. */
int probe_elf_facts_read(int fd, struct elf_facts *ret_facts);

/* The address that the file gives to the byte at `offset`, if that is loaded as code.
 * Returns 0, or -ENOENT if no segment has it, or the same as above. */
int probe_elf_address(int fd, uint64_t offset, uint64_t *ret_address);

/* Finds the build id in the notes of a file or of a loaded library. `ret_text` has
 * BUILD_ID_TEXT_BYTES, and is "" if there is none. */
void probe_elf_build_id(const void *notes, size_t bytes, char *ret_text);

#endif
