#include "probe/resources/resource_list.h"

static int threads_list(struct resource_list *list)
{
    (void)list;
    return 0;
}

const struct resource_subject probe_threads_made = {
    .name = "threadcreate",
    .values = {{"threads", "count"}, {"ended", "count"}},
    .list = threads_list,
};
