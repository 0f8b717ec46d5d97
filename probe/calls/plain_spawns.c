/*
 * In the servers: calls that start another program in a child. The library for other
 * programs also changes what that gets (probe/preload/exec_calls.c).
 */
#include <spawn.h>

#include "probe/calls/real_function.h"
#include "probe/resources/child_notes.h"

PROBE_REAL(posix_spawn)
PROBE_REAL(posix_spawnp)

#define FRAME __builtin_frame_address(0)

PROBE_EXPORT int posix_spawn(pid_t *ret_child, const char *path,
                             const posix_spawn_file_actions_t *actions,
                             const posix_spawnattr_t *attributes,
                             char *const arguments[], char *const environment[])
{
    pid_t child = 0;
    int error =
        posix_spawn_real()(&child, path, actions, attributes, arguments, environment);
    probe_child_spawned(error, child, ret_child, FRAME);
    return error;
}

PROBE_EXPORT int posix_spawnp(pid_t *ret_child, const char *file,
                              const posix_spawn_file_actions_t *actions,
                              const posix_spawnattr_t *attributes,
                              char *const arguments[], char *const environment[])
{
    pid_t child = 0;
    int error =
        posix_spawnp_real()(&child, file, actions, attributes, arguments, environment);
    probe_child_spawned(error, child, ret_child, FRAME);
    return error;
}
