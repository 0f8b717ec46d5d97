#include "probe/resources/resource_list.h"

static int timers_list(struct resource_list *list)
{
    (void)list;
    return 0;
}

const struct resource_subject probe_timers = {
    .name = "timers",
    .values = {{"timers", "count"}},
    .list = timers_list,
};
