/*
 * Shared memory of System V: shmat maps a segment, and shmdt unmaps it without being
 * told how large it is.
 */
#include <errno.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/shm.h>

#include "probe/calls/real_function.h"
#include "probe/resources/mapping_notes.h"

PROBE_REAL(shmat)
PROBE_REAL(shmdt)

/* The size of a segment; 0: it is not to be noted, or not known. Keeps errno. */
static size_t size_of(int id)
{
    struct shmid_ds segment = {0};
    int saved = errno;
    int error = probe_resources_forget() ? shmctl(id, IPC_STAT, &segment) : -1;
    errno = saved;
    return error == 0 ? segment.shm_segsz : 0;
}

PROBE_EXPORT void *shmat(int id, const void *wanted, int flags)
{
    struct mapping_parts parts = {0};
    size_t bytes = size_of(id);
    if ((flags & SHM_REMAP) != 0) {
        probe_mapping_take(wanted, bytes, &parts);
    }
    void *memory = shmat_real()(id, wanted, flags);
    if (memory == MAP_FAILED) {
        probe_mapping_put_back(&parts);
    } else {
        probe_segment_made(memory, bytes, __builtin_frame_address(0));
    }
    return memory;
}

PROBE_EXPORT int shmdt(const void *memory)
{
    struct mapping_parts parts;
    size_t bytes = probe_segment_take(memory, &parts);
    int result = shmdt_real()(memory);
    if (result != 0) {
        probe_segment_put_back(memory, bytes, &parts);
    }
    return result;
}
