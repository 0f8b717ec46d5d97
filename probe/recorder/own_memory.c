#include "probe/recorder/own_memory.h"

#include <stdatomic.h>
#include <sys/mman.h>

static _Atomic size_t taken;

void *probe_own_memory_take(size_t bytes)
{
    void *memory =
        mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        return NULL;
    }
    atomic_fetch_add_explicit(&taken, bytes, memory_order_relaxed);
    return memory;
}

void probe_own_memory_give(void *memory, size_t bytes)
{
    if (memory != NULL) {
        munmap(memory, bytes);
        atomic_fetch_sub_explicit(&taken, bytes, memory_order_relaxed);
    }
}

size_t probe_own_memory_bytes(void)
{
    return atomic_load_explicit(&taken, memory_order_relaxed);
}
