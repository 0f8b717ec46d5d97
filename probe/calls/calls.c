#include "probe/calls/calls.h"

#include "probe/calls/real_function.h"

void probe_calls_prepare(void)
{
    probe_real_find_all();
}
