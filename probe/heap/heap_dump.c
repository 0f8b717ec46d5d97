#include "probe/heap/heap_dump.h"

#include "probe/heap/dump_file.h"
#include "probe/recorder/recorder.h"

/* The bytes in use. Of samples, the recorder's estimate: their own sum says too little.
 */
static int in_use_read(const struct heap_snapshot *snapshot, uint64_t *ret_bytes)
{
    if (snapshot->period != 1) {
        struct recorder_figures figures;
        probe_recorder_read_figures(&figures);
        *ret_bytes = figures.allocated_bytes > figures.freed_bytes
                         ? figures.allocated_bytes - figures.freed_bytes
                         : 0;
        return 0;
    }
    struct heap_sums sums;
    int error = probe_heap_snapshot_sum(snapshot, &sums);
    if (error == 0) {
        *ret_bytes = (uint64_t)sums.bytes;
    }
    return error;
}

int probe_heap_dump_write(const struct heap_snapshot *snapshot, const char *directory,
                          const char *name, char *ret_path, size_t path_size,
                          uint64_t *ret_in_use_bytes)
{
    struct buffer text = {0};
    int error = in_use_read(snapshot, ret_in_use_bytes);
    if (error == 0) {
        error = probe_heap_snapshot_text(snapshot, &text);
    }
    if (error == 0) {
        error = probe_dump_file_write(directory, name, text.data, text.length, ret_path,
                                      path_size);
    }
    buffer_release(&text);
    return error;
}
