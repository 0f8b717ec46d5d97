#include "probe/resources/mapping_notes.h"

void probe_mapping_made(const void *memory, size_t bytes, const void *frame)
{
    (void)memory, (void)bytes, (void)frame;
}

void probe_mapping_gone(const void *memory, size_t bytes)
{
    (void)memory, (void)bytes;
}
