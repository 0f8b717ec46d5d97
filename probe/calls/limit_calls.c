/*
 * Functions that change the limit of descriptors.
 */
#include <sys/resource.h>
#include <sys/types.h>

#include "probe/calls/real_function.h"
#include "probe/resources/descriptor_limit.h"

PROBE_REAL(setrlimit)
PROBE_REAL(setrlimit64)
PROBE_REAL(prlimit)
PROBE_REAL(prlimit64)

PROBE_EXPORT int setrlimit(__rlimit_resource_t resource, const struct rlimit *limit)
{
    int result = setrlimit_real()(resource, limit);
    probe_fd_limit_changed();
    return result;
}

PROBE_EXPORT int setrlimit64(__rlimit_resource_t resource, const struct rlimit64 *limit)
{
    int result = setrlimit64_real()(resource, limit);
    probe_fd_limit_changed();
    return result;
}

PROBE_EXPORT int prlimit(pid_t process, enum __rlimit_resource resource,
                         const struct rlimit *limit, struct rlimit *old_limit)
{
    int result = prlimit_real()(process, resource, limit, old_limit);
    probe_fd_limit_changed();
    return result;
}

PROBE_EXPORT int prlimit64(pid_t process, enum __rlimit_resource resource,
                           const struct rlimit64 *limit, struct rlimit64 *old_limit)
{
    int result = prlimit64_real()(process, resource, limit, old_limit);
    probe_fd_limit_changed();
    return result;
}
