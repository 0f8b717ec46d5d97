#include "probe/resources/resource_list.h"

static int children_list(struct resource_list *list)
{
    (void)list;
    return 0;
}

const struct resource_subject probe_children = {
    .name = "children",
    .values = {{"children", "count"}, {"ended", "count"}},
    .list = children_list,
};
