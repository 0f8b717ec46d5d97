/*
 * Blocks are added in the order in which they were reached: so the path of the block
 * that leads to another is known when that one comes.
 */
#include "probe/reach/reach_profile.h"

#include <errno.h>
#include <string.h>

#include "base/wrapper_names.h"
#include "probe/recorder/stack_records.h"
#include "probe/symbols/symbols.h"

#define AHEAD 16

struct adding {
    struct reach_profile *profile;
    const struct shared_copy *copy;
    const struct process_parts *parts;
    uint32_t *paths;         /* of each held block of the copy */
    struct table path_index; /* by path_key */
    int sign;
};

/* ---- Items ---- */

static void *item_at(const struct buffer *items, size_t size, size_t number)
{
    return items->data + number * size;
}

size_t probe_reach_lost_count(const struct reach_profile *profile)
{
    return profile->lost.length / sizeof(struct lost_stack);
}

struct lost_stack *probe_reach_lost_at(const struct reach_profile *profile,
                                       size_t number)
{
    return item_at(&profile->lost, sizeof(struct lost_stack), number);
}

size_t probe_reach_retained_count(const struct reach_profile *profile)
{
    return profile->retained.length / sizeof(struct retained_path);
}

struct retained_path *probe_reach_retained_at(const struct reach_profile *profile,
                                              size_t number)
{
    return item_at(&profile->retained, sizeof(struct retained_path), number);
}

const struct path_node *probe_reach_node_at(const struct reach_profile *profile,
                                            uint32_t number)
{
    return item_at(&profile->nodes, sizeof(struct path_node), number);
}

const struct allocator_place *probe_reach_place_at(const struct reach_profile *profile,
                                                   uint32_t number)
{
    return item_at(&profile->places, sizeof(struct allocator_place), number);
}

/* The number of the item with this key, from 0 on; `item` becomes a new one if there is
 * none. 0 if memory is short, and then the buffer has an error. */
static uint32_t item_of(struct table *index, uint64_t key, struct buffer *items,
                        const void *item, size_t size)
{
    uint32_t *number = probe_table_at(index, key);
    if (number == NULL) {
        items->error = -ENOMEM;
        return 0;
    }
    if (*number == 0) {
        buffer_append(items, item, size);
        *number = (uint32_t)(items->length / size);
    }
    return items->error != 0 ? 0 : *number - 1;
}

/* ---- Who allocated ---- */

/* Whether a function allocates for its caller: a wrapper, or a part of the C++ library,
 * as are a vector's and a map's. */
static bool is_wrapper(const char *function)
{
    return wrapper_name_known(function) || strncmp(function, "std::", 5) == 0 ||
           strncmp(function, "__gnu_cxx::", 11) == 0;
}

/* The address in the stack where a function of the program, or of a library other than
 * the C library, allocates that is no wrapper. */
static uintptr_t place_choose(const struct process_parts *parts,
                              const struct stack_record *record)
{
    struct symbol symbol;
    for (uint32_t i = 0; i < record->depth; i++) {
        uintptr_t address = record->frames[i];
        if (probe_process_parts_is_lower(parts, address)) {
            continue;
        }
        probe_symbols_find(address, &symbol);
        if (!is_wrapper(symbol.function)) {
            return address;
        }
    }
    return record->depth == 0 ? 0 : record->frames[0];
}

/* The number of the function that has the address. */
static uint32_t function_of(struct reach_profile *profile, uintptr_t address)
{
    struct symbol symbol;
    probe_symbols_find(address, &symbol);
    uintptr_t start = symbol.start != 0 ? symbol.start : address;
    uint32_t *number = probe_table_at(&profile->function_index, start);
    if (number == NULL) {
        profile->places.error = -ENOMEM;
        return 0;
    }
    if (*number == 0) {
        *number = ++profile->functions_count;
    }
    return *number;
}

/* The number of the place where the blocks of a stack were allocated. */
static uint32_t place_of(struct adding *adding, uint32_t stack)
{
    struct reach_profile *profile = adding->profile;
    uint32_t *known = probe_table_at(&profile->place_index, stack);
    if (known != NULL && *known != 0) {
        return *known - 1;
    }
    uintptr_t address = place_choose(adding->parts, probe_record_at(stack));
    struct allocator_place place = {address, function_of(profile, address)};
    uint32_t number = item_of(&profile->address_index, address, &profile->places,
                              &place, sizeof(place));
    if (known != NULL) {
        *known = number + 1;
    }
    return number;
}

/* ---- Adding ---- */

static uint32_t node_of(struct reach_profile *profile, uint32_t parent, uint32_t number,
                        uintptr_t address)
{
    struct path_node node = {parent, number, address};
    uint64_t key = (uint64_t)parent << 32 | number;
    return item_of(&profile->node_index, key, &profile->nodes, &node, sizeof(node));
}

static struct reach_example example_of(const struct reach_block *block)
{
    struct reach_example example = {.turned_address = ~block->address,
                                    .bytes = block->bytes};
    for (size_t i = 0; i < REACH_SHOWN_BYTES; i++) {
        example.turned_first[i] = (unsigned char)~block->first[i];
    }
    return example;
}

static void lost_add(struct adding *adding, const struct reach_block *block)
{
    struct reach_profile *profile = adding->profile;
    struct lost_stack new = {.stack = block->stack,
                             .place = place_of(adding, block->stack)};
    uint32_t number =
        item_of(&profile->lost_index, block->stack, &profile->lost, &new, sizeof(new));
    if (profile->lost.error != 0) {
        return;
    }
    struct lost_stack *stack = probe_reach_lost_at(profile, number);
    int64_t objects = adding->sign;
    int64_t bytes = adding->sign * (int64_t)block->bytes;
    bool direct = !block->indirect;
    if (stack->example.turned_address == 0 || (direct && stack->direct_objects == 0)) {
        stack->example = example_of(block);
    }
    stack->objects += objects;
    stack->bytes += bytes;
    profile->lost_all.objects += objects;
    profile->lost_all.bytes += bytes;
    if (direct) {
        stack->direct_objects += objects;
        stack->direct_bytes += bytes;
        profile->lost_direct.objects += objects;
        profile->lost_direct.bytes += bytes;
    }
}

/* A new item for the path of a block that is held, or the one of blocks that are held
 * in the same way and were allocated at the same place. */
static uint32_t path_make(struct adding *adding, const struct reach_block *block)
{
    struct reach_profile *profile = adding->profile;
    uint32_t place = place_of(adding, block->stack);
    if (profile->places.error != 0) {
        return 0;
    }
    const struct allocator_place *allocator = probe_reach_place_at(profile, place);
    uint32_t way;
    if (block->from == REACH_NONE) {
        way = node_of(profile, NODE_NONE, block->holder, 0);
    } else {
        way = probe_reach_retained_at(profile, adding->paths[block->from])->node;
    }
    const struct path_node *above = probe_reach_node_at(profile, way);
    if (profile->nodes.error == 0 &&
        (above->parent == NODE_NONE || above->number != allocator->function)) {
        way = node_of(profile, way, allocator->function, allocator->address);
    }
    struct retained_path new = {.node = way,
                                .place = place,
                                .stack = block->stack,
                                .shared = block->shared,
                                .example = example_of(block)};
    uint64_t key = (uint64_t)way << 32 | (uint64_t)place << 1 | (block->shared ? 1 : 0);
    return item_of(&profile->retained_index, key, &profile->retained, &new,
                   sizeof(new));
}

/* What the path of a block depends on: whose it is, or the path of the block that leads
 * to it; the stack that allocated it, whose number has 30 bits; whether it is shared.
 */
static uint64_t path_key(const struct adding *adding, const struct reach_block *block)
{
    uint64_t by_root = block->from == REACH_NONE;
    uint64_t above = by_root ? block->holder : adding->paths[block->from];
    return above << 32 | by_root << 31 | (uint64_t)block->stack << 1 | block->shared;
}

/* The number of a block's path. All but the first block with the same key cost one
 * look-up. */
static uint32_t path_of(struct adding *adding, const struct reach_block *block)
{
    uint32_t *known = probe_table_at(&adding->path_index, path_key(adding, block));
    if (known == NULL) {
        adding->profile->retained.error = -ENOMEM;
        return 0;
    }
    if (*known == 0) {
        *known = path_make(adding, block) + 1;
    }
    return *known - 1;
}

static int profile_error(const struct reach_profile *profile)
{
    bool failed = profile->lost.error != 0 || profile->retained.error != 0 ||
                  profile->nodes.error != 0 || profile->places.error != 0;
    return failed ? -ENOMEM : 0;
}

/* Adds a block that is held. The path of the block that leads to it is known. */
static void retained_add(struct adding *adding, uint32_t number)
{
    struct reach_profile *profile = adding->profile;
    const struct reach_block *block = &adding->copy->blocks[number];
    uint32_t path = path_of(adding, block);
    if (profile_error(profile) != 0) {
        return;
    }
    adding->paths[number] = path;
    int64_t bytes = adding->sign * (int64_t)block->bytes;
    struct retained_path *retained = probe_reach_retained_at(profile, path);
    retained->objects += adding->sign;
    retained->bytes += bytes;
    profile->retained_all.objects += adding->sign;
    profile->retained_all.bytes += bytes;
}

/* Almost all the time goes to waiting for memory. So it is asked for early. */
static void all_retained_add(struct adding *adding)
{
    const struct shared_copy *copy = adding->copy;
    for (uint32_t i = 0; i < copy->reached_count; i++) {
        if (i + 2 * AHEAD < copy->reached_count) {
            __builtin_prefetch(&copy->blocks[copy->reached[i + 2 * AHEAD]]);
        }
        if (i + AHEAD < copy->reached_count) {
            uint32_t from = copy->blocks[copy->reached[i + AHEAD]].from;
            __builtin_prefetch(&adding->paths[from == REACH_NONE ? 0 : from]);
        }
        retained_add(adding, copy->reached[i]);
        if (profile_error(adding->profile) != 0) {
            return;
        }
    }
}

int probe_reach_profile_add(struct reach_profile *profile, const struct reach *reach,
                            int sign)
{
    const struct shared_copy *copy = reach->copy;
    struct buffer paths = {0};
    size_t paths_bytes = ((size_t)copy->blocks_count + 1) * sizeof(uint32_t);
    struct adding adding = {.profile = profile,
                            .copy = copy,
                            .parts = &reach->parts,
                            .paths = (void *)buffer_reserve(&paths, paths_bytes),
                            .sign = sign};
    if (adding.paths == NULL) {
        buffer_release(&paths);
        return -ENOMEM;
    }
    all_retained_add(&adding);
    for (uint32_t i = 0; i < copy->blocks_count; i++) {
        if (copy->blocks[i].holder == REACH_NONE) {
            lost_add(&adding, &copy->blocks[i]);
        }
    }
    buffer_release(&paths);
    probe_table_release(&adding.path_index);
    profile->in_use.objects += sign * (int64_t)copy->in_use_blocks;
    profile->in_use.bytes += sign * (int64_t)copy->in_use_bytes;
    profile->difference |= sign < 0;
    profile->stopped_ns = reach->stopped_ns;
    profile->began_ns = reach->began_ns;
    profile->threads = copy->threads_count;
    profile->inexact = copy->inexact;
    profile->not_read = copy->not_read;
    profile->heap_unsure = copy->heap_unsure;
    profile->missed = copy->missed;
    return profile_error(profile);
}

void probe_reach_profile_release(struct reach_profile *profile)
{
    probe_holders_release(&profile->holders);
    buffer_release(&profile->lost);
    buffer_release(&profile->retained);
    buffer_release(&profile->nodes);
    buffer_release(&profile->places);
    probe_table_release(&profile->lost_index);
    probe_table_release(&profile->retained_index);
    probe_table_release(&profile->node_index);
    probe_table_release(&profile->place_index);
    probe_table_release(&profile->address_index);
    probe_table_release(&profile->function_index);
    *profile = (struct reach_profile){.in_use = {0, 0}};
}
