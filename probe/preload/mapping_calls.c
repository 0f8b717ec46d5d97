/*
 * Calls that change mappings. What is noted is the memory that the allocator maps for
 * itself, if it is a library other than the C library, whose own calls do not come
 * here. Each call of the program costs two comparisons more. Before the allocator has
 * mapped anything, nothing in the probe has started: so this needs nothing else.
 */
#include <dlfcn.h>
#include <link.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>

#include "probe/calls/real_function.h"
#include "probe/reach/heap_mappings.h"

#define PAGE ((size_t)4096)
#define CALLER ((uintptr_t)__builtin_return_address(0))

PROBE_REAL(mmap)
PROBE_REAL(mmap64)
PROBE_REAL(munmap)
PROBE_REAL(mremap)

/* The code of the allocator's library. Empty if that is the C library. */
static _Atomic uintptr_t code_start;
static _Atomic uintptr_t code_end;
static atomic_bool is_known;

struct search {
    uintptr_t allocator; /* addresses of functions */
    uintptr_t libc;
};

/* Called for each loaded file: notes the addresses of the allocator's. */
static int file_look(struct dl_phdr_info *file, size_t size, void *argument)
{
    (void)size;
    const struct search *search = argument;
    uintptr_t start = UINTPTR_MAX;
    uintptr_t end = 0;
    for (size_t i = 0; i < file->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &file->dlpi_phdr[i];
        uintptr_t from = file->dlpi_addr + part->p_vaddr;
        if (part->p_type == PT_LOAD) {
            start = from < start ? from : start;
            end = from + part->p_memsz > end ? from + part->p_memsz : end;
        }
    }
    if (search->allocator < start || search->allocator >= end) {
        return 0;
    }
    if (search->libc < start || search->libc >= end) {
        atomic_store(&code_start, start);
        atomic_store(&code_end, end);
    }
    return 1;
}

/* Whether this is code of the allocator. It is looked for at the first call, which is
 * often the allocator's own, before it has given out any block. */
static bool is_allocator(uintptr_t code)
{
    if (!atomic_load_explicit(&is_known, memory_order_acquire)) {
        struct search search = {(uintptr_t)dlsym(RTLD_NEXT, "malloc"),
                                (uintptr_t)dlsym(RTLD_NEXT, "gnu_get_libc_version")};
        dl_iterate_phdr(file_look, &search);
        atomic_store_explicit(&is_known, true, memory_order_release);
    }
    return code >= atomic_load_explicit(&code_start, memory_order_relaxed) &&
           code < atomic_load_explicit(&code_end, memory_order_relaxed);
}

static uintptr_t end_of(const void *start, size_t bytes)
{
    return (uintptr_t)start + ((bytes + PAGE - 1) & ~(PAGE - 1));
}

static void note(const void *memory, size_t bytes, bool by_allocator)
{
    if (memory == MAP_FAILED) {
        return;
    }
    if (by_allocator) {
        probe_heap_mapping_add((uintptr_t)memory, end_of(memory, bytes));
    } else {
        probe_heap_mapping_remove((uintptr_t)memory, end_of(memory, bytes));
    }
}

PROBE_EXPORT void *mmap(void *wanted, size_t bytes, int protection, int flags, int fd,
                        off_t offset)
{
    void *memory = mmap_real()(wanted, bytes, protection, flags, fd, offset);
    note(memory, bytes, is_allocator(CALLER));
    return memory;
}

PROBE_EXPORT void *mmap64(void *wanted, size_t bytes, int protection, int flags, int fd,
                          off64_t offset)
{
    void *memory = mmap64_real()(wanted, bytes, protection, flags, fd, offset);
    note(memory, bytes, is_allocator(CALLER));
    return memory;
}

/* Forgotten before it is gone: another thread may get the addresses at once. */
PROBE_EXPORT int munmap(void *memory, size_t bytes)
{
    bool was = probe_heap_mapping_has((uintptr_t)memory, end_of(memory, bytes));
    note(memory, bytes, false);
    int result = munmap_real()(memory, bytes);
    if (result != 0 && was) {
        note(memory, bytes, true);
    }
    return result;
}

/* What was the allocator's stays its, wherever it is now. */
PROBE_EXPORT void *mremap(void *memory, size_t bytes, size_t new_bytes, int flags, ...)
{
    va_list rest;
    va_start(rest, flags);
    void *wanted = (flags & MREMAP_FIXED) != 0 ? va_arg(rest, void *) : NULL;
    va_end(rest);
    bool was = probe_heap_mapping_has((uintptr_t)memory, end_of(memory, bytes));
    note(memory, bytes, false);
    void *moved = mremap_real()(memory, bytes, new_bytes, flags, wanted);
    if (moved == MAP_FAILED) {
        note(memory, was ? bytes : 0, was);
    } else {
        note(moved, new_bytes, was);
    }
    return moved;
}
