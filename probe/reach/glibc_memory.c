#include "probe/reach/glibc_memory.h"

#define PAGE ((uintptr_t)4096)
#define WORD sizeof(uintptr_t)
#define ARENA_BYTES ((uintptr_t)64 * 1024 * 1024)

/* In the size of a chunk, see "malloc_chunk". */
#define CHUNK_MAPPED 2U
#define CHUNK_OTHER_ARENA 4U
#define CHUNK_BITS 7U

struct range probe_glibc_range(const struct reach_block *block)
{
    uintptr_t chunk = block->address - 2 * WORD;
    uintptr_t size = word_at(chunk + WORD);
    if ((size & CHUNK_MAPPED) != 0) {
        uintptr_t before = word_at(chunk); /* of the mapping, before the chunk */
        uintptr_t bytes = size & ~(uintptr_t)CHUNK_BITS;
        struct range range = {chunk - before, chunk + bytes};
        /* The program may have written over it. */
        bool whole = before <= chunk && bytes >= block->bytes &&
                     range.start % PAGE == 0 && range.end % PAGE == 0;
        return whole ? range : (struct range){0, 0};
    }
    if ((size & CHUNK_OTHER_ARENA) != 0) {
        uintptr_t arena = chunk & ~(ARENA_BYTES - 1);
        return (struct range){arena, arena + ARENA_BYTES};
    }
    return (struct range){0, 0};
}

void probe_glibc_blocks(const struct block_index *index, struct ranges *ranges)
{
    struct range last = {0, 0};
    for (uint32_t i = 0; i < index->count; i++) {
        uintptr_t address = index->blocks[i].address;
        if (range_has(last, address)) {
            continue;
        }
        struct range range = probe_glibc_range(&index->blocks[i]);
        if (range.start < range.end) {
            probe_ranges_add(ranges, range.start, range.end);
            last = range;
        }
    }
}

/* Each part of an arena is at a multiple of its greatest size, and begins with the
 * arena, the part before it, and two sizes ("heap_info"). */
void probe_glibc_arenas(struct range mapping, struct ranges *ranges)
{
    uintptr_t at = (mapping.start + ARENA_BYTES - 1) & ~(ARENA_BYTES - 1);
    for (; at < mapping.end; at += ARENA_BYTES) {
        uintptr_t arena = word_at(at);
        uintptr_t before = word_at(at + WORD);
        uintptr_t used = word_at(at + 2 * WORD);
        uintptr_t mapped = word_at(at + 3 * WORD);
        bool is_first = before == 0 && arena > at && arena < at + PAGE;
        bool is_next = before != 0 && before % ARENA_BYTES == 0 && arena > before;
        if ((is_first || is_next) && used != 0 && used <= mapped &&
            mapped <= ARENA_BYTES && mapped % PAGE == 0) {
            probe_ranges_add(ranges, at, at + ARENA_BYTES);
        }
    }
}
