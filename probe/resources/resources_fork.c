#include "probe/resources/resources_fork.h"

#include "probe/resources/descriptor_notes.h"
#include "probe/resources/resources.h"

void probe_resources_fork_prepare(void)
{
}

void probe_resources_fork_parent(void)
{
}

void probe_resources_fork_child(void)
{
    probe_fds_fork_child();
    probe_resources_go_on();
}
