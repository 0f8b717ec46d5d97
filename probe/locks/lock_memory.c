#include "probe/locks/lock_memory.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/range.h"
#include "probe/figures/proc_file.h"
#include "probe/reach/ranges.h"

int probe_lock_memory_read(struct lock_memory *memory)
{
    struct proc_file file;
    const char *line;
    buffer_clear(&memory->own);
    int error = probe_proc_file_open(&file, "thread-self/maps");
    if (error != 0) {
        return error;
    }
    while ((line = probe_proc_file_line(&file)) != NULL) {
        struct range range;
        char sharing = '\0';
        if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %*3s%c", &range.start, &range.end,
                   &sharing) == 3 &&
            sharing == 'p') {
            buffer_append(&memory->own, &range, sizeof(range));
        }
    }
    probe_proc_file_close(&file);
    return file.error != 0 ? file.error : memory->own.error;
}

bool probe_lock_memory_is_shared(const struct lock_memory *memory, uintptr_t address)
{
    const struct range *own = (const void *)memory->own.data;
    size_t count = memory->own.length / sizeof(*own);
    size_t at = probe_ranges_from(own, count, address);
    return at == count || !range_has(own[at], address);
}

void probe_lock_memory_release(struct lock_memory *memory)
{
    buffer_release(&memory->own);
}
