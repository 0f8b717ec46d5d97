/*
 * What a library needs stands in its dynamic section: System V ABI, "Dynamic Section".
 * The strings are in the library itself, which stays.
 */
#include "probe/symbols/own_libraries.h"

#include <link.h>
#include <stdatomic.h>
#include <string.h>

#define OWN_MOST 32

static struct range own[OWN_MOST];
static atomic_size_t own_count;

static void known_add(struct own_libraries *libraries, uintptr_t address)
{
    if (libraries->known_count < OWN_LIBRARIES_MOST) {
        libraries->known[libraries->known_count] = address;
    }
    libraries->known_count++;
}

static bool is_known(const struct own_libraries *libraries, uintptr_t address)
{
    for (size_t i = 0; i < libraries->known_count; i++) {
        if (libraries->known[i] == address) {
            return true;
        }
    }
    return false;
}

static bool is_needed(const struct own_libraries *libraries, const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash == NULL ? path : slash + 1;
    for (size_t i = 0; i < libraries->needed_count; i++) {
        if (strcmp(libraries->needed[i], name) == 0) {
            return true;
        }
    }
    return false;
}

static void needed_add(struct own_libraries *libraries, const char *name)
{
    if (libraries->needed_count < OWN_LIBRARIES_NEEDED) {
        libraries->needed[libraries->needed_count++] = name;
    }
}

/* The loader has made the address of the names absolute. */
static void dynamic_read(struct own_libraries *libraries, const ElfW(Dyn) * entries)
{
    const char *names = NULL;
    for (const ElfW(Dyn) *entry = entries; entry->d_tag != DT_NULL; entry++) {
        if (entry->d_tag == DT_STRTAB) {
            names = (const char *)entry->d_un.d_ptr; // NOLINT
        }
    }
    for (const ElfW(Dyn) *entry = entries; entry->d_tag != DT_NULL; entry++) {
        if (entry->d_tag == DT_NEEDED && names != NULL) {
            needed_add(libraries, names + entry->d_un.d_val);
        }
    }
}

static int known_visit(struct dl_phdr_info *object, size_t size, void *argument)
{
    (void)size;
    known_add(argument, object->dlpi_addr);
    return 0;
}

static void own_add(struct range range)
{
    size_t count = atomic_load(&own_count);
    if (count < OWN_MOST && range.start < range.end) {
        own[count] = range;
        atomic_store(&own_count, count + 1);
    }
}

static int object_visit(struct dl_phdr_info *object, size_t size, void *argument)
{
    (void)size;
    struct own_libraries *libraries = argument;
    if (is_known(libraries, object->dlpi_addr) ||
        !is_needed(libraries, object->dlpi_name) ||
        libraries->known_count == OWN_LIBRARIES_MOST) {
        return 0;
    }
    struct range range = {UINTPTR_MAX, 0};
    for (size_t i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &object->dlpi_phdr[i];
        uintptr_t from = object->dlpi_addr + part->p_vaddr;
        if (part->p_type == PT_LOAD) {
            uintptr_t end = from + part->p_memsz;
            range.start = from < range.start ? from : range.start;
            range.end = end > range.end ? end : range.end;
        } else if (part->p_type == PT_DYNAMIC) {
            dynamic_read(libraries, (const ElfW(Dyn) *)from); // NOLINT
        }
    }
    known_add(libraries, object->dlpi_addr);
    own_add(range);
    libraries->found = true;
    return 0;
}

void probe_own_libraries_begin(struct own_libraries *libraries)
{
    libraries->known_count = libraries->needed_count = 0;
    dl_iterate_phdr(known_visit, libraries);
}

void probe_own_libraries_note(struct own_libraries *libraries, const char *name)
{
    if (libraries->known_count > OWN_LIBRARIES_MOST) {
        return;
    }
    needed_add(libraries, name);
    do {
        libraries->found = false;
        dl_iterate_phdr(object_visit, libraries);
    } while (libraries->found);
}

const struct range *probe_own_libraries_ranges(size_t *ret_count)
{
    *ret_count = atomic_load(&own_count);
    return own;
}
