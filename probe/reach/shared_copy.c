#include "probe/reach/shared_copy.h"

#include <sys/mman.h>

#include "probe/recorder/own_memory.h"
#include "probe/threads/thread_entry.h"

#define ALIGNMENT ((size_t)4096)

/* The size of an array, and where it begins: behind what there is so far. */
static size_t part(size_t *bytes, size_t count, size_t item)
{
    size_t begin = *bytes;
    *bytes += (count * item + ALIGNMENT - 1) & ~(ALIGNMENT - 1);
    return begin;
}

struct shared_copy *probe_shared_copy_take(size_t blocks)
{
    size_t bytes = 0;
    part(&bytes, 1, sizeof(struct shared_copy));
    size_t maps = part(&bytes, COPY_MAPS_BYTES, 1);
    size_t words = part(&bytes, COPY_WORDS_MAX, sizeof(struct kernel_word));
    size_t roots = part(&bytes, COPY_ROOTS_MAX, sizeof(struct reach_root));
    size_t threads = part(&bytes, THREADS_MAX, sizeof(struct copy_thread));
    size_t all = part(&bytes, blocks, sizeof(struct reach_block));
    size_t reached = part(&bytes, blocks, sizeof(uint32_t));
    char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) {
        return NULL;
    }
    struct shared_copy *shared = (void *)memory;
    shared->bytes = bytes;
    shared->maps = memory + maps;
    shared->words = (void *)(memory + words);
    shared->roots = (void *)(memory + roots);
    shared->threads = (void *)(memory + threads);
    shared->blocks = (void *)(memory + all);
    shared->reached = (void *)(memory + reached);
    shared->blocks_room = blocks;
    if (!probe_own_memory_note(memory, bytes)) {
        munmap(memory, bytes);
        return NULL;
    }
    return shared;
}

void probe_shared_copy_give(struct shared_copy *shared)
{
    probe_own_memory_forget(shared);
    munmap(shared, shared->bytes);
}
