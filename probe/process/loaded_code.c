/* Reads the program headers of the loaded files: dl_iterate_phdr(3). */
#include "probe/process/loaded_code.h"

#include <stddef.h>

struct search {
    uintptr_t address;
    struct range found;
};

struct range probe_loaded_segment(const struct dl_phdr_info *file, uintptr_t address)
{
    for (size_t i = 0; i < file->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &file->dlpi_phdr[i];
        struct range range = {.start = file->dlpi_addr + segment->p_vaddr};
        range.end = range.start + segment->p_memsz;
        if (segment->p_type == PT_LOAD && range_has(range, address)) {
            return range;
        }
    }
    return (struct range){0, 0};
}

/* Called for each loaded file. */
static int file_visit(struct dl_phdr_info *file, size_t size, void *argument)
{
    (void)size;
    struct search *search = argument;
    search->found = probe_loaded_segment(file, search->address);
    return range_has(search->found, search->address) ? 1 : 0;
}

struct range probe_loaded_code(uintptr_t address)
{
    struct search search = {.address = address};
    dl_iterate_phdr(file_visit, &search);
    return search.found;
}
