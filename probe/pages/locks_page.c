/*
 * The pages of locks: who waits for which one, and the threads that never go on.
 */
#include "probe/http/form.h"
#include "probe/pages/pages.h"

void probe_page_locks(const struct request *request, struct reply *reply)
{
    (void)request, (void)reply;
}

void probe_page_goroutineleak(const struct request *request, struct reply *reply)
{
    (void)request, (void)reply;
}
