/*
 * An arena holds many small pieces that are given back together: the stacks and names
 * of one profile, the texts of one reply.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stddef.h>

struct arena_chunk;

/* Lives in memory that the caller owns; { 0 } is empty. */
struct arena {
    struct arena_chunk *newest;
};

/* `bytes` zeroed bytes, aligned for any type; NULL when memory is short. */
void *arena_alloc(struct arena *arena, size_t bytes);

/* A copy of `length` bytes as a string in which every byte outside printable ASCII is
 * a '?': the texts come from servers and go to terminals, pages and JSON. NULL when
 * memory is short. */
char *arena_text(struct arena *arena, const char *bytes, size_t length);

/* Gives all pieces back and leaves the arena empty. */
void arena_release(struct arena *arena);

#endif
