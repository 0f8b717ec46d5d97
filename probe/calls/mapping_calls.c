/*
 * Calls that change mappings. Noted is who made them, and what the allocator maps for
 * itself, if it is a library other than the C library, whose own calls do not come
 * here. The latter has no stack: it is the heap, and other profiles say who holds that;
 * and the allocator may hold a lock that taking the stack would wait for.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>

#include "base/range.h"
#include "probe/calls/real_function.h"
#include "probe/process/loaded_code.h"
#include "probe/reach/heap_mappings.h"
#include "probe/recorder/inside.h"
#include "probe/recorder/recorder.h"
#include "probe/resources/mapping_notes.h"

#define PAGE ((size_t)4096)
#define CALLER ((uintptr_t)__builtin_return_address(0))
#define FRAME __builtin_frame_address(0)
#define HUGE_BITS_USUAL 21 /* of the address in a huge page, unless the flags say */

PROBE_REAL(mmap)
PROBE_REAL(mmap64)
PROBE_REAL(munmap)
PROBE_REAL(mremap)

/* The code of the allocator's library. Empty if that is the C library. */
static _Atomic uintptr_t code_start;
static _Atomic uintptr_t code_end;
static atomic_bool is_known;

/* Whether this is code of the allocator. It is looked for at the first call, which is
 * often the allocator's own, before it has given out any block. */
static bool is_allocator(uintptr_t code)
{
    if (!atomic_load_explicit(&is_known, memory_order_acquire)) {
        struct range found = probe_loaded_code((uintptr_t)dlsym(RTLD_NEXT, "malloc"));
        if (!range_has(found, (uintptr_t)dlsym(RTLD_NEXT, "gnu_get_libc_version"))) {
            atomic_store(&code_start, found.start);
            atomic_store(&code_end, found.end);
        }
        atomic_store_explicit(&is_known, true, memory_order_release);
    }
    return code >= atomic_load_explicit(&code_start, memory_order_relaxed) &&
           code < atomic_load_explicit(&code_end, memory_order_relaxed);
}

static uintptr_t end_of(const void *start, size_t bytes)
{
    return (uintptr_t)start + ((bytes + PAGE - 1) & ~(PAGE - 1));
}

static void heap_note(const void *memory, size_t bytes, bool by_allocator)
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

/* How many bytes mmap maps: whole pages, maybe huge ones. */
static size_t bytes_mapped(size_t bytes, int flags)
{
    unsigned bits = (unsigned)flags >> MAP_HUGE_SHIFT & MAP_HUGE_MASK;
    if ((flags & MAP_HUGETLB) == 0) {
        return bytes;
    }
    size_t page = (size_t)1 << (bits == 0 ? HUGE_BITS_USUAL : bits);
    return (bytes + page - 1) & ~(page - 1);
}

/* Before a call that may map over something. A call that may fail in spite of that puts
 * it back: see over_end. */
static void over_begin(void *wanted, size_t bytes, int flags,
                       struct mapping_parts *ret_parts)
{
    ret_parts->count = 0;
    if ((flags & MAP_FIXED) != 0) {
        probe_mapping_take(wanted, bytes, ret_parts);
    }
}

/* Without memory the kernel may have unmapped what was there, and then not gone on. */
static void over_end(const void *memory, const struct mapping_parts *parts)
{
    if (memory == MAP_FAILED && errno != ENOMEM) {
        probe_mapping_put_back(parts);
    }
}

static void note(void *memory, size_t bytes, int flags, uintptr_t caller,
                 const void *frame)
{
    bool by_allocator = is_allocator(caller);
    heap_note(memory, bytes, by_allocator);
    /* The probe maps for itself, also where it runs for the program. */
    bool apart = by_allocator || probe_recorder_skipped(&caller, 1) == 1;
    probe_inside += apart;
    if (by_allocator) {
        probe_mapping_gone(memory, memory == MAP_FAILED ? 0 : bytes);
    } else {
        probe_mapping_made(memory, bytes_mapped(bytes, flags), frame);
    }
    probe_inside -= apart;
}

PROBE_EXPORT void *mmap(void *wanted, size_t bytes, int protection, int flags, int fd,
                        off_t offset)
{
    struct mapping_parts parts;
    over_begin(wanted, bytes, flags, &parts);
    void *memory = mmap_real()(wanted, bytes, protection, flags, fd, offset);
    over_end(memory, &parts);
    note(memory, bytes, flags, CALLER, FRAME);
    return memory;
}

PROBE_EXPORT void *mmap64(void *wanted, size_t bytes, int protection, int flags, int fd,
                          off64_t offset)
{
    struct mapping_parts parts;
    over_begin(wanted, bytes, flags, &parts);
    void *memory = mmap64_real()(wanted, bytes, protection, flags, fd, offset);
    over_end(memory, &parts);
    note(memory, bytes, flags, CALLER, FRAME);
    return memory;
}

/* Forgotten before it is gone: another thread may get the addresses at once. */
PROBE_EXPORT int munmap(void *memory, size_t bytes)
{
    struct mapping_parts parts;
    bool was = probe_heap_mapping_has((uintptr_t)memory, end_of(memory, bytes));
    bool apart = is_allocator(CALLER); /* it may hold its lock: nothing waits here */
    heap_note(memory, bytes, false);
    probe_inside += apart;
    probe_mapping_take(memory, bytes, &parts);
    probe_inside -= apart;
    int result = munmap_real()(memory, bytes);
    if (result != 0) {
        heap_note(memory, was ? bytes : 0, was);
        probe_mapping_put_back(&parts);
    }
    return result;
}

/* What is noted of memory that is moved. */
struct moving {
    bool was_heap;
    struct mapping_parts parts; /* of the memory itself */
    struct mapping_parts over;  /* of what is where it is to go */
};

static void moving_begin(void *memory, size_t bytes, void *wanted, size_t new_bytes,
                         struct moving *ret_moving)
{
    ret_moving->was_heap =
        probe_heap_mapping_has((uintptr_t)memory, end_of(memory, bytes));
    heap_note(memory, bytes, false);
    probe_mapping_take(memory, bytes, &ret_moving->parts);
    ret_moving->over.count = 0;
    if (wanted != NULL) {
        probe_mapping_take(wanted, new_bytes, &ret_moving->over);
    }
}

static void moving_fail(void *memory, size_t bytes, const struct moving *moving)
{
    heap_note(memory, moving->was_heap ? bytes : 0, moving->was_heap);
    probe_mapping_put_back(&moving->parts);
    if (errno != ENOMEM) {
        probe_mapping_put_back(&moving->over);
    }
}

/* Memory stays the allocator's when it moves, and likewise that of whoever else mapped
 * it. Two kinds of calls leave the old memory there: with MREMAP_DONTUNMAP, and for
 * 0 bytes, which maps shared memory once more. */
PROBE_EXPORT void *mremap(void *memory, size_t bytes, size_t new_bytes, int flags, ...)
{
    va_list rest;
    va_start(rest, flags);
    void *wanted = (flags & MREMAP_FIXED) != 0 ? va_arg(rest, void *) : NULL;
    va_end(rest);
    struct moving moving;
    moving_begin(memory, bytes, wanted, new_bytes, &moving);
    void *moved = mremap_real()(memory, bytes, new_bytes, flags, wanted);
    if (moved == MAP_FAILED) {
        moving_fail(memory, bytes, &moving);
        return moved;
    }
    heap_note(moved, new_bytes, moving.was_heap);
    if (bytes == 0) {
        probe_mapping_made(moved, new_bytes, FRAME);
    } else {
        probe_mapping_moved(&moving.parts, memory, bytes, moved, new_bytes);
    }
    if ((flags & MREMAP_DONTUNMAP) != 0) {
        probe_mapping_put_back(&moving.parts);
    }
    return moved;
}
