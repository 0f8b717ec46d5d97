#include "probe/trace/trace_rate.h"

#include "base/clock.h"

int64_t probe_trace_interval(int64_t cpu_ns)
{
    int64_t shortest = CLOCK_NS_PER_SECOND / TRACE_RATE_HZ;
    int64_t interval = cpu_ns * 100 / TRACE_SHARE_PERCENT;
    return interval < shortest ? shortest : interval;
}
