#include "probe/resources/libc_heap.h"

#include <stdbool.h>
#include <stddef.h>

#include "probe/process/memory_read.h"

#define ARENA_BYTES ((uintptr_t)64 * 1024 * 1024) /* and they begin at a multiple */
#define PAGE ((uintptr_t)4096)

/* A bit in the size of a block: it has a mapping of its own. */
#define BLOCK_MAPPED 2U
#define BLOCK_BITS 7U

enum { WORDS = 4 };

static bool words_read(uintptr_t address, uintptr_t ret_words[WORDS])
{
    /* It may be unmapped meanwhile. */
    return probe_memory_read(address, ret_words, WORDS * sizeof(uintptr_t)) == 0;
}

/* A part of an arena begins with the arena's address, the part before it, and two sizes
 * ("heap_info"). The first part has its arena in itself. */
static bool is_arena(uintptr_t start)
{
    uintptr_t words[WORDS];
    if (!words_read(start, words)) {
        return false;
    }
    uintptr_t arena = words[0];
    uintptr_t before = words[1];
    bool is_first = before == 0 && arena > start && arena < start + PAGE;
    bool is_next = before != 0 && before % ARENA_BYTES == 0 && arena > before &&
                   arena < before + ARENA_BYTES;
    return (is_first || is_next) && words[2] != 0 && words[2] <= words[3] &&
           words[3] <= ARENA_BYTES && words[3] % PAGE == 0;
}

/* A large block begins with nothing, and its size. Returns it; 0: it is none. */
static uintptr_t block_bytes(struct range range)
{
    uintptr_t words[WORDS];
    if (!words_read(range.start, words) || words[0] != 0 ||
        (words[1] & BLOCK_BITS) != BLOCK_MAPPED) {
        return 0;
    }
    uintptr_t bytes = words[1] - BLOCK_MAPPED;
    return bytes % PAGE == 0 && bytes <= range.end - range.start ? bytes : 0;
}

uintptr_t probe_libc_heap_end(struct range range)
{
    uintptr_t arena = range.start & ~(ARENA_BYTES - 1);
    if (is_arena(arena)) {
        uintptr_t end = arena + ARENA_BYTES;
        return end < range.end ? end : range.end;
    }
    return range.start + block_bytes(range);
}
