#include "probe/resources/resources_fork.h"

#include "probe/resources/child_notes.h"
#include "probe/resources/descriptor_notes.h"
#include "probe/resources/mapping_notes.h"
#include "probe/resources/resources.h"

void probe_resources_fork_prepare(void)
{
    probe_child_hold();
    probe_mapping_hold();
}

void probe_resources_fork_parent(void)
{
    probe_mapping_release();
    probe_child_release();
}

void probe_resources_fork_child(void)
{
    probe_mapping_release();
    probe_child_release();
    probe_child_forget_all();
    probe_fds_fork_child();
    probe_resources_go_on();
}
