#include "probe/resources/resource_list.h"

static int fds_list(struct resource_list *list)
{
    (void)list;
    return 0;
}

const struct resource_subject probe_fds = {
    .name = "fds",
    .values = {{"fds", "count"}},
    .list = fds_list,
};
