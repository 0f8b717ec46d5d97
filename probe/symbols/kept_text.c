/*
 * Strings are cut from blocks, one after the other. A block is never moved.
 */
#include "probe/symbols/kept_text.h"

#include <stddef.h>
#include <string.h>
#include <sys/mman.h>

#include "base/size.h"

#define BLOCK_BYTES ((size_t)(64 * KIB))
#define BLOCKS_MAX 512

static char *block;
static size_t used;
static size_t blocks;

const char *probe_text_keep(const char *text)
{
    size_t bytes = strlen(text) + 1;
    if (bytes > BLOCK_BYTES) {
        return NULL;
    }
    if (block == NULL || BLOCK_BYTES - used < bytes) {
        void *memory = blocks == BLOCKS_MAX
                           ? MAP_FAILED
                           : mmap(NULL, BLOCK_BYTES, PROT_READ | PROT_WRITE,
                                  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED) {
            return NULL;
        }
        block = memory;
        used = 0;
        blocks++;
    }
    char *kept = memcpy(block + used, text, bytes);
    used += bytes;
    return kept;
}
