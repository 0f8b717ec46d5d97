/*
 * An arena holds many small pieces of memory that are freed together: the stacks and
 * names of one profile, the texts of one reply.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stddef.h>

struct arena_chunk;

/* Lives in memory that the caller owns; { 0 } is empty. */
struct arena {
    struct arena_chunk *newest;
};

/* Returns `bytes` zeroed bytes, aligned for any type; NULL when memory is short. The
 * arena owns them. */
void *arena_alloc(struct arena *arena, size_t bytes);

/* Returns a copy of `length` bytes as a string, with '?' for every byte that is not
 * printable ASCII: the texts come from servers and go to terminals, pages and JSON.
 * NULL when memory is short. The arena owns it. */
char *arena_text(struct arena *arena, const char *bytes, size_t length);

/* Frees all pieces and leaves the arena empty. */
void arena_release(struct arena *arena);

#endif
