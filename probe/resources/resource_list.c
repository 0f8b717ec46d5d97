#include "probe/resources/resource_list.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "probe/proto/profile_proto.h"
#include "probe/recorder/stack_records.h"
#include "probe/symbols/frame_text.h"
#include "probe/symbols/symbols.h"

/* What has no stack has this address in the text, which go tool pprof wants to have. */
#define NO_ADDRESS "0x1"

/* Things of one kind that one stack has made. */
struct group {
    enum resource_maker maker;
    uint32_t stack;
    const char *kind;
    int64_t items;
    int64_t values[RESOURCE_VALUES];
    int64_t oldest_ns; /* -1: not known */
    int64_t youngest_ns;
    size_t shown;                       /* how many examples there are */
    size_t examples[RESOURCE_EXAMPLES]; /* where they begin */
};

static size_t group_count(const struct resource_list *list)
{
    return list->groups.length / sizeof(struct group);
}

static struct group *groups_of(const struct resource_list *list)
{
    return (struct group *)(void *)list->groups.data;
}

/* The group of the item, which may be new; NULL when memory is short. There are few
 * groups, and an item is mostly like one of the last. */
static struct group *group_of(struct resource_list *list,
                              const struct resource_item *item, uint32_t stack)
{
    for (size_t i = group_count(list); i-- > 0;) {
        struct group *group = &groups_of(list)[i];
        if (group->maker == item->maker && group->stack == stack &&
            strcmp(group->kind, item->kind) == 0) {
            return group;
        }
    }
    const struct group group = {.maker = item->maker,
                                .stack = stack,
                                .kind = item->kind,
                                .oldest_ns = -1,
                                .youngest_ns = -1};
    buffer_append(&list->groups, &group, sizeof(group));
    return list->groups.error != 0 ? NULL : &groups_of(list)[group_count(list) - 1];
}

static void example_keep(struct resource_list *list, struct group *group,
                         const char *example)
{
    if (example != NULL && group->shown < RESOURCE_EXAMPLES) {
        group->examples[group->shown++] = list->examples.length;
        buffer_append(&list->examples, example, strlen(example) + 1);
    }
}

void probe_resource_list_add(struct resource_list *list,
                             const struct resource_item *item, const char *example)
{
    struct resource_item known = *item;
    if (known.maker == MADE_BY_STACK && known.note.stack == 0) {
        known.maker = MADE_UNSEEN;
    }
    for (size_t i = 0; i < RESOURCE_VALUES; i++) {
        list->totals[i] += known.values[i];
        list->unseen[i] += known.maker == MADE_UNSEEN ? known.values[i] : 0;
        list->probes[i] += known.maker == MADE_BY_PROBE ? known.values[i] : 0;
    }
    bool by_stack = known.maker == MADE_BY_STACK;
    int64_t age = known.note.made == 0 ? -1 : probe_resource_age(known.note);
    if (age >= 0 && age < list->older_ns) {
        return;
    }
    int sign = list->sign < 0 ? -1 : 1;
    struct group *group = group_of(list, &known, by_stack ? known.note.stack : 0);
    if (group == NULL) {
        list->error = -ENOMEM;
        return;
    }
    group->items += known.is_part ? 0 : sign;
    for (size_t i = 0; i < RESOURCE_VALUES; i++) {
        group->values[i] += sign * known.values[i];
    }
    if (age >= 0) {
        group->oldest_ns = age > group->oldest_ns ? age : group->oldest_ns;
        bool younger = group->youngest_ns < 0 || age < group->youngest_ns;
        group->youngest_ns = younger ? age : group->youngest_ns;
    }
    example_keep(list, group, example);
}

void probe_resource_list_reread(struct resource_list *list)
{
    buffer_clear(&list->remarks);
    memset(list->totals, 0, sizeof(list->totals));
    memset(list->unseen, 0, sizeof(list->unseen));
    memset(list->probes, 0, sizeof(list->probes));
}

static const char *maker_name(enum resource_maker maker)
{
    switch (maker) {
    case MADE_BY_PROBE:
        return "the probe's own";
    case MADE_AT_START:
        return "the program's start";
    default:
        return "made unseen";
    }
}

static size_t value_count(const struct resource_subject *subject)
{
    return subject->values[1].type == NULL ? 1 : 2;
}

int probe_resource_list_proto(const struct resource_list *list,
                              const struct resource_subject *subject,
                              int64_t duration_ns, struct buffer *ret_profile)
{
    struct profile_description description = {
        .period_type = {subject->values[0].type, subject->values[0].unit},
        .period = 1,
        .default_type = subject->values[0].type,
        .time_ns = probe_profile_now(),
        .duration_ns = duration_ns,
        .comment = list->remarks.data,
    };
    for (size_t i = 0; i < value_count(subject); i++) {
        description.types[i] =
            (struct profile_type){subject->values[i].type, subject->values[i].unit};
    }
    struct profile_writer *writer = probe_profile_begin(value_count(subject));
    for (size_t i = 0; i < group_count(list); i++) {
        const struct group *group = &groups_of(list)[i];
        uint32_t places[STACK_DEPTH_MAX];
        size_t count = 0;
        if (group->maker == MADE_BY_STACK) {
            const struct stack_record *record = probe_record_at(group->stack);
            while (count < record->depth) {
                places[count] = probe_profile_place(writer, record->frames[count]);
                count++;
            }
        } else {
            places[count++] =
                probe_profile_place_named(writer, maker_name(group->maker), NULL, 0);
        }
        probe_profile_add_places(writer, places, count, group->values,
                                 &(struct profile_label){"kind", group->kind});
    }
    int error = probe_profile_end(writer, &description, ret_profile);
    return error != 0 ? error : list->error;
}

static int group_larger(const void *one, const void *other)
{
    const struct group *first = one;
    const struct group *second = other;
    if (first->items != second->items) {
        return first->items > second->items ? -1 : 1;
    }
    if (first->maker != second->maker) {
        return first->maker < second->maker ? -1 : 1;
    }
    return first->stack < second->stack ? -1 : first->stack > second->stack;
}

static void stack_write(const struct group *group, struct buffer *text)
{
    if (group->maker != MADE_BY_STACK) {
        buffer_printf(text, " " NO_ADDRESS "\n# labels: {\"kind\":\"%s\"}\n#\t%s\n",
                      group->kind, maker_name(group->maker));
        return;
    }
    const struct stack_record *record = probe_record_at(group->stack);
    probe_frame_addresses(text, record->frames, record->depth);
    buffer_printf(text, "\n# labels: {\"kind\":\"%s\"}\n", group->kind);
    for (uint32_t i = 0; i < record->depth; i++) {
        probe_frame_comment(text, record->frames[i] + 1, record->frames[i]);
    }
}

static void group_write(const struct resource_list *list, const struct group *group,
                        const struct resource_subject *subject, struct buffer *text)
{
    buffer_printf(text, "%lld @", (long long)group->items);
    stack_write(group, text);
    for (size_t i = 0; i < value_count(subject) && value_count(subject) > 1; i++) {
        buffer_printf(text, "%s%s %lld", i == 0 ? "#\t" : ", ", subject->values[i].type,
                      (long long)group->values[i]);
    }
    buffer_text(text, value_count(subject) > 1 ? "\n" : "");
    if (group->oldest_ns >= 0) {
        buffer_printf(text, "#\tage: %.1f s to %.1f s\n",
                      (double)group->youngest_ns / CLOCK_NS_PER_SECOND,
                      (double)group->oldest_ns / CLOCK_NS_PER_SECOND);
    }
    for (size_t i = 0; i < group->shown; i++) {
        buffer_printf(text, "#\t%s\n", list->examples.data + group->examples[i]);
    }
    if (group->shown > 0 && group->items > (int64_t)group->shown) {
        buffer_printf(text, "#\tand %lld more\n",
                      (long long)(group->items - (int64_t)group->shown));
    }
    buffer_text(text, "\n");
}

int probe_resource_list_text(struct resource_list *list,
                             const struct resource_subject *subject,
                             struct buffer *ret_text)
{
    size_t count = group_count(list);
    int64_t items = 0;
    probe_symbols_load();
    if (count > 0) {
        qsort(list->groups.data, count, sizeof(struct group), group_larger);
    }
    for (size_t i = 0; i < count; i++) {
        items += groups_of(list)[i].items;
    }
    buffer_printf(ret_text, "%s profile: total %lld\n", subject->name,
                  (long long)items);
    if (list->remarks.length > 0) {
        buffer_printf(ret_text, "# %s\n", list->remarks.data);
    }
    buffer_text(ret_text, "\n");
    for (size_t i = 0; i < count; i++) {
        group_write(list, &groups_of(list)[i], subject, ret_text);
    }
    return list->error != 0 ? list->error : ret_text->error;
}

bool probe_resource_list_largest(const struct resource_list *list, uint32_t *ret_stack,
                                 int64_t *ret_items)
{
    const struct group *largest = NULL;
    for (size_t i = 0; i < group_count(list); i++) {
        const struct group *group = &groups_of(list)[i];
        if (group->maker == MADE_BY_STACK &&
            (largest == NULL || group->items > largest->items)) {
            largest = group;
        }
    }
    if (largest != NULL) {
        *ret_stack = largest->stack;
        *ret_items = largest->items;
    }
    return largest != NULL;
}

void probe_resource_list_release(struct resource_list *list)
{
    buffer_release(&list->groups);
    buffer_release(&list->examples);
    buffer_release(&list->remarks);
    *list = (struct resource_list){0};
}
