#include "probe/reach/reach_proto.h"

#include <errno.h>

#include "base/clock.h"
#include "probe/proto/profile_proto.h"
#include "probe/recorder/stack_records.h"

#define PLACES_MAX 1024 /* of one stack; what is nearer to the holder is kept */

void probe_reach_summary(const struct reach_profile *profile, struct buffer *text)
{
    if (profile->difference) {
        buffer_text(text, "gained meanwhile: ");
    }
    buffer_printf(text,
                  "in use %lld blocks, %lld bytes; retained %lld blocks, %lld bytes; "
                  "lost %lld blocks, %lld bytes; %zu threads stopped for %.1f ms; "
                  "answer after %.1f ms",
                  (long long)profile->in_use.objects, (long long)profile->in_use.bytes,
                  (long long)profile->retained_all.objects,
                  (long long)profile->retained_all.bytes,
                  (long long)profile->lost_all.objects,
                  (long long)profile->lost_all.bytes, profile->threads,
                  (double)profile->stopped_ns / CLOCK_NS_PER_MS,
                  (double)(clock_now_ns() - profile->began_ns) / CLOCK_NS_PER_MS);
    if (profile->inexact > 0) {
        buffer_printf(text, "; not all registers known of %zu threads",
                      profile->inexact);
    }
    if (profile->not_read > 0) {
        buffer_printf(text, "; %zu mappings not read", profile->not_read);
    }
    if (profile->heap_unsure) {
        buffer_printf(text, "; not all of the allocator's memory is known, so some of "
                            "what is lost may be missing");
    }
    if (profile->missed > 0) {
        buffer_printf(text,
                      "; memory was short, or the recorder was busy: %llu blocks "
                      "were not noted, or not seen to go",
                      (unsigned long long)profile->missed);
    }
}

static struct profile_description describe(const char *comment, int64_t duration_ns)
{
    return (struct profile_description){.period_type = {"space", "bytes"},
                                        .period = 1,
                                        .time_ns = probe_profile_now(),
                                        .duration_ns = duration_ns,
                                        .comment = comment};
}

static int end(struct profile_writer *writer, struct profile_description *description,
               const struct reach_profile *profile, struct buffer *ret_profile)
{
    struct buffer comment = {0};
    probe_reach_summary(profile, &comment);
    description->comment = comment.data;
    int error = probe_profile_end(writer, description, ret_profile);
    buffer_release(&comment);
    return error;
}

int probe_reach_lost_proto(const struct reach_profile *profile, int64_t duration_ns,
                           struct buffer *ret_profile)
{
    struct profile_description description = describe(NULL, duration_ns);
    description.types[0] = (struct profile_type){"lost_objects", "count"};
    description.types[1] = (struct profile_type){"lost_space", "bytes"};
    description.types[2] = (struct profile_type){"direct_objects", "count"};
    description.types[3] = (struct profile_type){"direct_space", "bytes"};
    description.default_type = "lost_space";
    struct profile_writer *writer = probe_profile_begin(4);
    for (size_t i = 0; i < probe_reach_lost_count(profile); i++) {
        const struct lost_stack *lost = probe_reach_lost_at(profile, i);
        const struct stack_record *record = probe_record_at(lost->stack);
        const int64_t values[] = {lost->objects, lost->bytes, lost->direct_objects,
                                  lost->direct_bytes};
        probe_profile_add(writer, record->frames, record->depth, values);
    }
    return end(writer, &description, profile, ret_profile);
}

/* Writes the places of a way, from the node on to the holder. `holders` has the places
 * of the holders that were named so far. Returns how many. */
static size_t way_places(struct profile_writer *writer,
                         const struct reach_profile *profile, uint32_t node,
                         uint32_t *holders, uint32_t *ret_places, size_t room)
{
    size_t count = 0;
    for (; node != NODE_NONE; node = probe_reach_node_at(profile, node)->parent) {
        const struct path_node *step = probe_reach_node_at(profile, node);
        count -= count == room;
        if (step->parent != NODE_NONE) {
            ret_places[count++] = probe_profile_place(writer, step->address);
            continue;
        }
        uint32_t *place = &holders[step->number];
        if (*place == 0) {
            const struct holder *holder =
                probe_holder_at(&profile->holders, step->number);
            const char *file =
                holder->file == 0 ? NULL : profile->holders.texts.data + holder->file;
            *place = probe_profile_place_named(
                writer, probe_holder_text(&profile->holders, step->number), file,
                holder->line);
        }
        ret_places[count++] = *place;
    }
    return count;
}

static void retained_write(struct profile_writer *writer,
                           const struct reach_profile *profile, uint32_t *holders)
{
    static const struct profile_label shared = {"shared", "yes"};
    uint32_t places[PLACES_MAX];
    for (size_t i = 0; i < probe_reach_retained_count(profile); i++) {
        const struct retained_path *path = probe_reach_retained_at(profile, i);
        const struct path_node *node = probe_reach_node_at(profile, path->node);
        const int64_t values[] = {path->objects, path->bytes};
        places[0] = probe_profile_place(
            writer, probe_reach_place_at(profile, path->place)->address);
        size_t count = 1 + way_places(writer, profile, node->parent, holders,
                                      places + 1, PLACES_MAX - 1);
        probe_profile_add_places(writer, places, count, values,
                                 path->shared ? &shared : NULL);
    }
}

static void lost_write(struct profile_writer *writer,
                       const struct reach_profile *profile)
{
    uint32_t root = 0;
    for (size_t i = 0; i < probe_reach_lost_count(profile); i++) {
        const struct lost_stack *lost = probe_reach_lost_at(profile, i);
        const int64_t values[] = {lost->objects, lost->bytes};
        if (root == 0) {
            root = probe_profile_place_named(writer, "lost", NULL, 0);
        }
        const uint32_t places[] = {
            probe_profile_place(writer,
                                probe_reach_place_at(profile, lost->place)->address),
            root};
        probe_profile_add_places(writer, places, 2, values, NULL);
    }
}

int probe_reach_retained_proto(const struct reach_profile *profile, bool with_lost,
                               int64_t duration_ns, struct buffer *ret_profile)
{
    struct profile_description description = describe(NULL, duration_ns);
    description.types[0] = (struct profile_type){"inuse_objects", "count"};
    description.types[1] = (struct profile_type){"inuse_space", "bytes"};
    struct buffer memory = {0};
    size_t bytes = ((size_t)profile->holders.count + 1) * sizeof(uint32_t);
    uint32_t *holders = (void *)buffer_reserve(&memory, bytes);
    if (holders == NULL) {
        buffer_release(&memory);
        return -ENOMEM;
    }
    struct profile_writer *writer = probe_profile_begin(2);
    retained_write(writer, profile, holders);
    if (with_lost) {
        lost_write(writer, profile);
    }
    buffer_release(&memory);
    return end(writer, &description, profile, ret_profile);
}
