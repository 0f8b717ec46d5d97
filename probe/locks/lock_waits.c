#include "probe/locks/lock_waits.h"

void probe_lock_wait_begin(struct lock_wait *wait)
{
    (void)wait;
}

void probe_lock_wait_end(struct lock_wait *wait)
{
    (void)wait;
}

void probe_lock_waits_abandon(void)
{
}
