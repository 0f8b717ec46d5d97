/*
 * Mappings. The kernel makes one line of private ones that lie side by side, so of
 * those only the bytes can be told; of the others, the lines too.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "storm.h"

enum { PAGE = 4096, READ_WRITE = PROT_READ | PROT_WRITE };

MAKER map_private(struct storm *storm, struct map_slot *slot)
{
    (void)storm;
    slot->memory =
        mmap(NULL, slot->bytes, READ_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

MAKER map_shared(struct storm *storm, struct map_slot *slot)
{
    (void)storm;
    errno = UNKEPT;
    slot->memory =
        mmap(NULL, slot->bytes, READ_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    MUST(errno == UNKEPT);
}

MAKER map_file(struct storm *storm, struct map_slot *slot)
{
    slot->memory = mmap(NULL, slot->bytes, READ_WRITE, MAP_PRIVATE, storm->source, 0);
}

MAKER map_file64(struct storm *storm, struct map_slot *slot)
{
    slot->memory = mmap64(NULL, slot->bytes, READ_WRITE, MAP_SHARED, storm->source, 0);
}

/* It grows, and goes to another place if need be. */
MAKER map_moved(struct storm *storm, struct map_slot *slot)
{
    (void)storm;
    void *memory =
        mmap(NULL, slot->bytes, READ_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    MUST(memory != MAP_FAILED);
    slot->memory = mremap(memory, slot->bytes, 2 * slot->bytes, MREMAP_MAYMOVE);
    slot->bytes *= 2;
}

/* The second page is unmapped. */
MAKER map_hole(struct storm *storm, struct map_slot *slot)
{
    (void)storm;
    slot->bytes += 2 * (size_t)PAGE;
    slot->memory =
        mmap(NULL, slot->bytes, READ_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    MUST(munmap(slot->memory + PAGE, PAGE) == 0);
}

/* Its second page cannot be written: three lines. */
MAKER map_protected(struct storm *storm, struct map_slot *slot)
{
    (void)storm;
    slot->bytes += 2 * (size_t)PAGE;
    slot->memory =
        mmap(NULL, slot->bytes, READ_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    MUST(mprotect(slot->memory + PAGE, PAGE, PROT_READ) == 0);
}

static const struct maker {
    enum way way;
    void (*make)(struct storm *storm, struct map_slot *slot);
} makers[] = {
    {mmaps_map_private, map_private},     {mmaps_map_shared, map_shared},
    {mmaps_map_file, map_file},           {mmaps_map_file64, map_file64},
    {mmaps_map_moved, map_moved},         {mmaps_map_hole, map_hole},
    {mmaps_map_protected, map_protected},
};

static void map_count(const struct map_slot *slot, int sign)
{
    int lines = slot->way == mmaps_map_protected ? 3 : 1;
    long hole = slot->way == mmaps_map_hole ? PAGE : 0;
    alive_add(slot->way, sign * lines, sign * ((long)slot->bytes - hole));
}

static void map_make(struct storm *storm, struct map_slot *slot)
{
    const struct maker *maker =
        &makers[choose(storm, sizeof(makers) / sizeof(makers[0]))];
    slot->bytes = (1 + choose(storm, 6)) * (size_t)PAGE;
    maker->make(storm, slot);
    MUST((void *)slot->memory != MAP_FAILED);
    slot->memory[0] = (unsigned char)storm->number;
    slot->memory[slot->bytes - 1] = (unsigned char)storm->number;
    slot->way = maker->way;
    map_count(slot, 1);
}

/* Of a file, all threads see what one of them has written: each has one of its own. */
static void map_end(struct storm *storm, struct map_slot *slot)
{
    MUST(slot->memory[0] == storm->number);
    MUST(slot->memory[slot->bytes - 1] == storm->number);
    bool hole = slot->way == mmaps_map_hole;
    map_count(slot, -1);
    slot->way = NOTHING;
    errno = UNKEPT;
    if (hole) {
        /* What is in the hole is another's by now. */
        MUST(munmap(slot->memory, PAGE) == 0);
        slot->memory += 2 * PAGE;
        slot->bytes -= 2 * (size_t)PAGE;
    }
    MUST(munmap(slot->memory, slot->bytes) == 0 && errno == UNKEPT);
}

void map_step(struct storm *storm)
{
    struct map_slot *slot = SLOT_OF(storm, maps, MAPS);
    if (slot->way == NOTHING) {
        map_make(storm, slot);
    } else {
        map_end(storm, slot);
    }
}

void map_fail(struct storm *storm)
{
    const struct map_slot *slot = SLOT_OF(storm, maps, MAPS);
    if (slot->way != NOTHING) {
        MUST(munmap(slot->memory + 1, slot->bytes) == -1 && errno == EINVAL);
        MUST(mremap(slot->memory, slot->bytes, 0, 0) == MAP_FAILED && errno == EINVAL);
    }
    MUST(mmap(NULL, 0, READ_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED &&
         errno == EINVAL);
}

void map_drain(struct storm *storm)
{
    for (int i = 0; i < MAPS; i++) {
        if (storm->maps[i].way != NOTHING) {
            map_end(storm, &storm->maps[i]);
        }
    }
}
