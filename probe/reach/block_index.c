/*
 * Most words that are looked up point nowhere, so the range is compared first. Then a
 * hash table leads from the page to the first block that begins in it or reaches into
 * it, and a binary search over the blocks of that page ends the search.
 */
#include "probe/reach/block_index.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#define PAGE_BITS 12
#define DIGIT_BITS 11
#define DIGITS (1U << DIGIT_BITS)
#define ADDRESS_BITS 47 /* of a program, on x86-64 */

struct page_entry {
    uint64_t page;  /* + 1; 0: free */
    uint32_t first; /* block */
    uint32_t count; /* of blocks, from the first on */
};

_Static_assert(2 * sizeof(struct block_item) <= sizeof(struct reach_block),
               "the blocks' memory has room for the items twice");
_Static_assert((ADDRESS_BITS - 3 + DIGIT_BITS - 1) / DIGIT_BITS % 2 == 0,
               "an even number of passes: the result is where it began");

static void *memory_take(size_t bytes)
{
    void *memory =
        mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        return NULL;
    }
    madvise(memory, bytes, MADV_HUGEPAGE); /* it is used here and there */
    return memory;
}

static size_t digit_of(uintptr_t address, unsigned shift)
{
    return (address >> shift) & (DIGITS - 1);
}

/* One pass of the sort: stable, by 11 bits of the address. */
static void sort_pass(const struct block_item *from, struct block_item *to,
                      uint32_t count, unsigned shift)
{
    uint32_t places[DIGITS] = {0};
    for (uint32_t i = 0; i < count; i++) {
        places[digit_of(from[i].address, shift)]++;
    }
    uint32_t place = 0;
    for (size_t digit = 0; digit < DIGITS; digit++) {
        uint32_t here = places[digit];
        places[digit] = place;
        place += here;
    }
    for (uint32_t i = 0; i < count; i++) {
        to[places[digit_of(from[i].address, shift)]++] = from[i];
    }
}

/* Radix sort. */
static void items_sort(struct block_item *items, uint32_t count)
{
    struct block_item *other = items + count;
    for (unsigned shift = 3; shift < ADDRESS_BITS; shift += DIGIT_BITS) {
        sort_pass(items, other, count, shift);
        struct block_item *sorted = other;
        other = items;
        items = sorted;
    }
}

/* Makes blocks of the sorted items, in the same memory: from the last one on, so that
 * each item is read before a block is written over it. */
static void blocks_make(struct reach_block *blocks, const struct block_item *items,
                        uint32_t count)
{
    for (uint32_t i = count; i-- > 0;) {
        struct block_item item;
        memcpy(&item, &items[i], sizeof(item));
        blocks[i] = (struct reach_block){
            .address = item.address, .bytes = item.bytes, .stack = item.stack};
    }
}

static uintptr_t last_byte(const struct reach_block *block)
{
    return block->address + (block->bytes == 0 ? 0 : block->bytes - 1);
}

/* Where the search for a page begins. */
static size_t page_home(const struct block_index *index, uint64_t page)
{
    return (page * 0x9e3779b97f4a7c15U) >> 20 & index->page_mask;
}

static struct page_entry *page_find(const struct block_index *index, uint64_t page)
{
    size_t at = page_home(index, page);
    while (index->pages[at].page != 0 && index->pages[at].page != page + 1) {
        at = (at + 1) & index->page_mask;
    }
    return &index->pages[at];
}

/* How many pages the blocks touch, at most. */
static size_t pages_count(const struct block_index *index)
{
    size_t count = 0;
    for (uint32_t i = 0; i < index->count; i++) {
        const struct reach_block *block = &index->blocks[i];
        count += (last_byte(block) >> PAGE_BITS) - (block->address >> PAGE_BITS) + 1;
        if (i > 0 && last_byte(block - 1) >> PAGE_BITS == block->address >> PAGE_BITS) {
            count--;
        }
    }
    return count;
}

int probe_block_index_make(struct block_item *items, uint32_t count,
                           struct block_index *ret_index)
{
    struct reach_block *blocks = (void *)items;
    struct block_index index = {.blocks = blocks, .count = count};
    items_sort(items, count);
    blocks_make(blocks, items, count);
    size_t slots = 1024;
    while (slots < pages_count(&index) * 2) {
        slots *= 2;
    }
    index.page_mask = slots - 1;
    index.pages = memory_take(slots * sizeof(struct page_entry));
    if (index.pages == NULL) {
        return -ENOMEM;
    }
    for (uint32_t i = 0; i < count; i++) {
        uint64_t last = last_byte(&blocks[i]) >> PAGE_BITS;
        for (uint64_t page = blocks[i].address >> PAGE_BITS; page <= last; page++) {
            struct page_entry *entry = page_find(&index, page);
            if (entry->page == 0) {
                *entry = (struct page_entry){page + 1, i, 0};
            }
            entry->count++;
        }
    }
    index.low = count > 0 ? blocks[0].address : 1;
    index.high = count > 0 ? last_byte(&blocks[count - 1]) : 0;
    *ret_index = index;
    return 0;
}

bool probe_block_index_may_find(const struct block_index *index, uintptr_t word)
{
    if (word < index->low || word > index->high) {
        return false;
    }
    __builtin_prefetch(&index->pages[page_home(index, word >> PAGE_BITS)]);
    return true;
}

void probe_block_index_approach(const struct block_index *index, uintptr_t word)
{
    const struct page_entry *entry = page_find(index, word >> PAGE_BITS);
    if (entry->page != 0) {
        /* If the blocks of the page are about equally large. */
        size_t within = word % ((size_t)1 << PAGE_BITS);
        size_t guess = entry->count * within >> PAGE_BITS;
        __builtin_prefetch(&index->blocks[entry->first + guess]);
    }
}

uint32_t probe_block_index_find(const struct block_index *index, uintptr_t word)
{
    if (word < index->low || word > index->high) {
        return REACH_NONE;
    }
    const struct page_entry *entry = page_find(index, word >> PAGE_BITS);
    if (entry->page == 0) {
        return REACH_NONE;
    }
    /* The last block that begins at the word or before it. */
    uint32_t low = entry->first;
    uint32_t high = low + entry->count;
    if (index->blocks[low].address > word) {
        return REACH_NONE;
    }
    while (low + 1 < high) {
        uint32_t middle = low + (high - low) / 2;
        if (index->blocks[middle].address <= word) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return word <= last_byte(&index->blocks[low]) ? low : REACH_NONE;
}
