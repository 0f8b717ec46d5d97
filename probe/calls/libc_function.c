/*
 * Looks the name up in the hash table of libc.so.6, as the loader does. Source of the
 * format: the System V ABI, "Dynamic Section"; of the table with the GNU hash:
 * binutils, bfd/elflink.c; of the version's hidden bit: the Linux Standard Base,
 * "Symbol Versioning".
 */
#include "probe/calls/libc_function.h"

#include <link.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define VERSION_HIDDEN 0x8000U /* not the one that a program is linked to today */

struct library {
    const char *name; /* of the function */
    uintptr_t base;
    const ElfW(Sym) * symbols;
    const char *names;
    const ElfW(Half) * versions; /* NULL: it has none */
    const uint32_t *hash;
    void *found;
};

static uint32_t name_hash(const char *name)
{
    uint32_t hash = 5381;
    for (; *name != '\0'; name++) {
        hash = hash * 33 + (unsigned char)*name;
    }
    return hash;
}

/* The loader has made these addresses absolute, but not those of the kernel's vdso. */
static bool tables_find(struct library *library, const ElfW(Dyn) * entry)
{
    for (; entry->d_tag != DT_NULL; entry++) {
        const void *at = (const void *)entry->d_un.d_ptr;
        switch (entry->d_tag) {
        case DT_SYMTAB:
            library->symbols = at;
            break;
        case DT_STRTAB:
            library->names = at;
            break;
        case DT_VERSYM:
            library->versions = at;
            break;
        case DT_GNU_HASH:
            library->hash = at;
            break;
        default:
            break;
        }
    }
    return library->symbols != NULL && library->names != NULL && library->hash != NULL;
}

static bool symbol_fits(const struct library *library, uint32_t number)
{
    const ElfW(Sym) *symbol = &library->symbols[number];
    return symbol->st_shndx != SHN_UNDEF &&
           (library->versions == NULL ||
            (library->versions[number] & VERSION_HIDDEN) == 0) &&
           strcmp(library->names + symbol->st_name, library->name) == 0;
}

/* The table: number of chains, first symbol in it, words of a filter, its shift; the
 * filter; where each chain begins; the hashes of the symbols, the last one of a chain
 * with the lowest bit set. */
static void symbol_find(struct library *library)
{
    const uint32_t *hash = library->hash;
    const uint32_t *chains = hash + 4 + hash[2] * (sizeof(ElfW(Addr)) / 4);
    const uint32_t *hashes = chains + hash[0];
    uint32_t wanted = name_hash(library->name);
    uint32_t number = chains[wanted % hash[0]];
    if (number < hash[1]) {
        return;
    }
    uint32_t other;
    do {
        other = hashes[number - hash[1]];
        if ((other | 1) == (wanted | 1) && symbol_fits(library, number)) {
            library->found =
                (void *)(library->base + library->symbols[number].st_value);
            return;
        }
        number++;
    } while ((other & 1) == 0);
}

static int object_visit(struct dl_phdr_info *object, size_t size, void *argument)
{
    (void)size;
    struct library *library = argument;
    const char *slash = strrchr(object->dlpi_name, '/');
    if (strcmp(slash == NULL ? object->dlpi_name : slash + 1, "libc.so.6") != 0) {
        return 0;
    }
    for (size_t i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &object->dlpi_phdr[i];
        if (part->p_type == PT_DYNAMIC) {
            library->base = object->dlpi_addr;
            if (tables_find(library,
                            (const void *)(object->dlpi_addr + part->p_vaddr))) {
                symbol_find(library);
            }
        }
    }
    return 1;
}

void *probe_libc_function(const char *name)
{
    struct library library = {.name = name};
    dl_iterate_phdr(object_visit, &library);
    return library.found;
}
