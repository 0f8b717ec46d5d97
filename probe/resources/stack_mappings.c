#include "probe/resources/stack_mappings.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/range.h"
#include "probe/figures/proc_file.h"
#include "probe/reach/ranges.h"

int probe_stack_mappings_read(struct stack_mappings *mappings)
{
    struct proc_file file;
    const char *line;
    buffer_clear(&mappings->ranges);
    int error = probe_proc_file_open(&file, "thread-self/maps");
    if (error != 0) {
        return error;
    }
    while ((line = probe_proc_file_line(&file)) != NULL) {
        struct range range;
        char writable = '\0';
        if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " r%c", &range.start, &range.end,
                   &writable) == 3 &&
            writable == 'w') {
            buffer_append(&mappings->ranges, &range, sizeof(range));
        }
    }
    probe_proc_file_close(&file);
    return file.error != 0 ? file.error : mappings->ranges.error;
}

size_t probe_stack_mapped(const struct stack_mappings *mappings, pthread_t thread,
                          size_t most)
{
    const struct range *ranges = (const void *)mappings->ranges.data;
    size_t count = mappings->ranges.length / sizeof(*ranges);
    size_t at = probe_ranges_from(ranges, count, thread);
    if (at == count || ranges[at].start > thread) {
        return 0;
    }
    size_t bytes = ranges[at].end - ranges[at].start;
    return bytes < most ? bytes : most;
}

void probe_stack_mappings_release(struct stack_mappings *mappings)
{
    buffer_release(&mappings->ranges);
}
