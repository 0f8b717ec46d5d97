#include "instruments.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "probe/calls/calls.h"
#include "probe/locks/lock_waits.h"
#include "probe/resources/descriptor_alarm.h"
#include "probe/resources/mapping_notes.h"
#include "probe/resources/resources.h"
#include "probe/resources/thread_notes.h"
#include "probe/threads/threads.h"
#include "variant.h"

/* There are requests all the time: the next one notices. */
static bool descriptors_noticed(void)
{
    return true;
}

static void descriptors_say(const char *line)
{
    fprintf(stderr, "%s: %s\n", variant.name, line);
}

void instruments_note(void)
{
    if (probe_resources_start() == 0) {
        probe_thread_notes_start();
        probe_mapping_notes_start();
        probe_fd_alarm_start(descriptors_noticed, descriptors_say, 0);
    }
    probe_lock_waits_start(NULL);
    /* The functions in front of the C library's are not where a thread is. */
    probe_threads_settle(
        &(struct threads_settings){.hidden_start = (uintptr_t)probe_calls_begin,
                                   .hidden_end = (uintptr_t)probe_calls_end});
}
