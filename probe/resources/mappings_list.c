#include "probe/resources/resource_list.h"

static int mappings_list(struct resource_list *list)
{
    (void)list;
    return 0;
}

const struct resource_subject probe_mappings = {
    .name = "mmaps",
    .values = {{"mappings", "count"}, {"space", "bytes"}},
    .list = mappings_list,
};
