#include "probe/reach/reach_text.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>

#include "probe/reach/reach_proto.h"
#include "probe/recorder/stack_records.h"
#include "probe/symbols/frame_text.h"

/* "#	block 0x7f12 of 64 bytes: 68 69 00 ... |hi.|" */
static void example_add(struct buffer *text, const struct reach_example *example)
{
    size_t shown =
        example->bytes < REACH_SHOWN_BYTES ? example->bytes : REACH_SHOWN_BYTES;
    buffer_printf(text, "#\tblock 0x%llx of %llu bytes:",
                  (unsigned long long)~example->turned_address,
                  (unsigned long long)example->bytes);
    for (size_t i = 0; i < shown; i++) {
        buffer_printf(text, " %02x", 0xff ^ example->turned_first[i]);
    }
    buffer_text(text, shown < example->bytes ? " ... |" : " |");
    for (size_t i = 0; i < shown; i++) {
        unsigned char byte = 0xff ^ example->turned_first[i];
        char letter = byte >= 0x20 && byte < 0x7f ? (char)byte : '.';
        buffer_append(text, &letter, 1);
    }
    buffer_text(text, "|\n");
}

/* ---- Lost ---- */

static int lost_larger(const void *one, const void *other)
{
    const struct lost_stack *first = one;
    const struct lost_stack *second = other;
    if (first->bytes != second->bytes) {
        return first->bytes > second->bytes ? -1 : 1;
    }
    return first->stack < second->stack ? -1 : first->stack > second->stack;
}

int probe_reach_lost_text(struct reach_profile *profile, struct buffer *ret_text)
{
    size_t count = probe_reach_lost_count(profile);
    buffer_printf(
        ret_text, "lost: %lld: %lld [%lld: %lld] directly\n# ",
        (long long)profile->lost_all.objects, (long long)profile->lost_all.bytes,
        (long long)profile->lost_direct.objects, (long long)profile->lost_direct.bytes);
    probe_reach_summary(profile, ret_text);
    buffer_text(ret_text, "\n# blocks: bytes [those to which no lost block leads]\n");
    if (count > 0) {
        qsort(profile->lost.data, count, sizeof(struct lost_stack), lost_larger);
    }
    for (size_t i = 0; i < count; i++) {
        const struct lost_stack *lost = probe_reach_lost_at(profile, i);
        const struct stack_record *record = probe_record_at(lost->stack);
        buffer_printf(ret_text, "%lld: %lld [%lld: %lld] @", (long long)lost->objects,
                      (long long)lost->bytes, (long long)lost->direct_objects,
                      (long long)lost->direct_bytes);
        probe_frame_addresses(ret_text, record->frames, record->depth);
        buffer_text(ret_text, "\n");
        for (uint32_t j = 0; j < record->depth; j++) {
            probe_frame_comment(ret_text, record->frames[j] + 1, record->frames[j]);
        }
        example_add(ret_text, &lost->example);
    }
    return ret_text->error;
}

/* ---- Retained ---- */

/* A holder, and what it holds. */
struct group {
    uint32_t holder;
    struct reach_sums sums;
};

/* A path, and where the group of its holder stands. */
struct placed {
    uint32_t path;
    uint32_t rank;
    int64_t bytes;
};

static uint32_t holder_of(const struct reach_profile *profile, uint32_t node)
{
    const struct path_node *step = probe_reach_node_at(profile, node);
    while (step->parent != NODE_NONE) {
        step = probe_reach_node_at(profile, step->parent);
    }
    return step->number;
}

static int group_larger(const void *one, const void *other)
{
    const struct group *first = one;
    const struct group *second = other;
    if (first->sums.bytes != second->sums.bytes) {
        return first->sums.bytes > second->sums.bytes ? -1 : 1;
    }
    return first->holder < second->holder ? -1 : first->holder > second->holder;
}

static int placed_before(const void *one, const void *other)
{
    const struct placed *first = one;
    const struct placed *second = other;
    if (first->rank != second->rank) {
        return first->rank < second->rank ? -1 : 1;
    }
    if (first->bytes != second->bytes) {
        return first->bytes > second->bytes ? -1 : 1;
    }
    return first->path < second->path ? -1 : first->path > second->path;
}

static void path_add(const struct reach_profile *profile,
                     const struct retained_path *path, struct buffer *text)
{
    uint32_t parent = probe_reach_node_at(profile, path->node)->parent;
    uintptr_t leaf = probe_reach_place_at(profile, path->place)->address;
    buffer_printf(text, "%lld: %lld @ 0x%llx", (long long)path->objects,
                  (long long)path->bytes, (unsigned long long)leaf + 1);
    const struct path_node *step;
    for (uint32_t at = parent;
         (step = probe_reach_node_at(profile, at))->parent != NODE_NONE;
         at = step->parent) {
        buffer_printf(text, " 0x%llx", (unsigned long long)step->address + 1);
    }
    buffer_text(text, "\n");
    probe_frame_comment(text, leaf + 1, leaf);
    for (uint32_t at = parent;
         (step = probe_reach_node_at(profile, at))->parent != NODE_NONE;
         at = step->parent) {
        probe_frame_comment(text, step->address + 1, step->address);
    }
    buffer_printf(text, "#\t%s\n", probe_holder_text(&profile->holders, step->number));
    if (path->shared) {
        buffer_text(text, "#\tshared: other holders lead here, too\n");
    }
    example_add(text, &path->example);
}

static void groups_write(const struct reach_profile *profile, struct group *groups,
                         uint32_t *ranks, struct placed *placed, struct buffer *text)
{
    uint32_t holders = profile->holders.count;
    size_t paths = probe_reach_retained_count(profile);
    for (uint32_t i = 0; i < holders; i++) {
        groups[i] = (struct group){.holder = i};
    }
    for (size_t i = 0; i < paths; i++) {
        const struct retained_path *path = probe_reach_retained_at(profile, i);
        uint32_t holder = holder_of(profile, path->node);
        placed[i] = (struct placed){(uint32_t)i, holder, path->bytes};
        groups[holder].sums.objects += path->objects;
        groups[holder].sums.bytes += path->bytes;
    }
    qsort(groups, holders, sizeof(*groups), group_larger);
    for (uint32_t i = 0; i < holders; i++) {
        ranks[groups[i].holder] = i;
    }
    for (size_t i = 0; i < paths; i++) {
        placed[i].rank = ranks[placed[i].rank];
    }
    qsort(placed, paths, sizeof(*placed), placed_before);
    for (size_t i = 0; i < paths; i++) {
        if (i == 0 || placed[i].rank != placed[i - 1].rank) {
            const struct group *group = &groups[placed[i].rank];
            buffer_printf(text, "\n%s: %lld: %lld\n",
                          probe_holder_text(&profile->holders, group->holder),
                          (long long)group->sums.objects, (long long)group->sums.bytes);
        }
        path_add(profile, probe_reach_retained_at(profile, placed[i].path), text);
    }
}

int probe_reach_retained_text(struct reach_profile *profile, struct buffer *ret_text)
{
    size_t holders = (size_t)profile->holders.count + 1;
    size_t paths = probe_reach_retained_count(profile) + 1;
    struct buffer memory = {0};
    size_t placed_bytes = paths * sizeof(struct placed);
    size_t groups_bytes = holders * sizeof(struct group);
    char *space = buffer_reserve(&memory, placed_bytes + groups_bytes +
                                              holders * sizeof(uint32_t));
    if (space == NULL) {
        buffer_release(&memory);
        return -ENOMEM;
    }
    buffer_printf(ret_text, "retained: %lld: %lld\n# ",
                  (long long)profile->retained_all.objects,
                  (long long)profile->retained_all.bytes);
    probe_reach_summary(profile, ret_text);
    buffer_text(ret_text, "\n# blocks: bytes, of each holder and of each way to it\n");
    groups_write(profile, (void *)(space + placed_bytes),
                 (void *)(space + placed_bytes + groups_bytes), (void *)space,
                 ret_text);
    buffer_release(&memory);
    return ret_text->error;
}
