/*
 * Pieces are cut from chunks of 64 KiB; a larger piece gets a chunk of its own. Chunks
 * are a linked list, the newest first.
 */
#include "base/arena.h"

#include <stdalign.h>
#include <stdlib.h>

#define CHUNK_BYTES 65536
#define ALIGNMENT alignof(max_align_t)

struct arena_chunk {
    struct arena_chunk *older;
    size_t used;
    size_t bytes;
    alignas(max_align_t) char data[];
};

void *arena_alloc(struct arena *arena, size_t bytes)
{
    if (bytes > (size_t)-1 / 2) {
        return NULL;
    }
    bytes = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    struct arena_chunk *chunk = arena->newest;
    if (chunk == NULL || chunk->bytes - chunk->used < bytes) {
        size_t room = bytes > CHUNK_BYTES ? bytes : CHUNK_BYTES;
        chunk = calloc(1, sizeof(*chunk) + room);
        if (chunk == NULL) {
            return NULL;
        }
        chunk->bytes = room;
        chunk->older = arena->newest;
        arena->newest = chunk;
    }
    void *piece = chunk->data + chunk->used;
    chunk->used += bytes;
    return piece;
}

char *arena_text(struct arena *arena, const char *bytes, size_t length)
{
    char *text = arena_alloc(arena, length + 1);
    if (text == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < length; i++) {
        text[i] = bytes[i] < ' ' || bytes[i] > '~' ? '?' : bytes[i];
    }
    return text;
}

void arena_release(struct arena *arena)
{
    struct arena_chunk *chunk = arena->newest;
    while (chunk != NULL) {
        struct arena_chunk *older = chunk->older;
        free(chunk);
        chunk = older;
    }
    arena->newest = NULL;
}
