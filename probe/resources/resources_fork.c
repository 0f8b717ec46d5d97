#include "probe/resources/resources_fork.h"

#include "probe/resources/child_notes.h"
#include "probe/resources/descriptor_alarm.h"
#include "probe/resources/descriptor_notes.h"
#include "probe/resources/mapping_notes.h"
#include "probe/resources/resources.h"
#include "probe/resources/thread_notes.h"
#include "probe/resources/timer_notes.h"

void probe_resources_fork_prepare(void)
{
    probe_child_hold();
    probe_mapping_hold();
    probe_thread_notes_hold();
    probe_timer_notes_hold();
}

void probe_resources_fork_parent(void)
{
    probe_mapping_release();
    probe_child_release();
    probe_timer_notes_release();
    probe_thread_notes_release();
}

void probe_resources_fork_child(void)
{
    probe_mapping_release();
    probe_child_release();
    probe_child_forget_all();
    probe_fds_fork_child();
    probe_fd_alarm_fork_child();
    probe_timer_notes_fork_child();
    probe_thread_notes_fork_child();
    probe_resources_go_on();
}
