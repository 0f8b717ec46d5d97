/*
 * A pool keeps buffers of one size for later use, as Go's sync.Pool does, so that
 * steady work allocates nothing. The caller allocates the buffers; a pool only keeps
 * them.
 */
#ifndef LAB_RUNTIME_POOL_H
#define LAB_RUNTIME_POOL_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

struct pool_buffer; /* the first bytes of a buffer, while the pool has it */

/* Lives in memory that the caller owns. The members are private. */
struct pool {
    pthread_mutex_t lock;
    struct pool_buffer *first;
    size_t count;
    size_t capacity; /* buffers kept at most */
    size_t bytes;    /* of each buffer */
};

/* A static pool that keeps at most `capacity` buffers of `bytes` bytes each (at least
 * the size of a pointer). */
/* Versions of clang-format differ in where they put these braces. */
/* clang-format off */
#define POOL_INIT(capacity_, bytes_)                                                   \
    {.lock = PTHREAD_MUTEX_INITIALIZER, .capacity = (capacity_), .bytes = (bytes_)}
/* clang-format on */

/* Takes a buffer of `bytes` bytes out of the pool. The caller owns it now; its contents
 * are undefined. NULL if the pool is empty or keeps another size: the caller then
 * allocates one. */
void *pool_get(struct pool *pool, size_t bytes);

/* Gives the pool a buffer of `bytes` bytes from malloc; not NULL. Returns false if the
 * pool is full or keeps another size: the caller then still owns the buffer. */
bool pool_put(struct pool *pool, void *buffer, size_t bytes);

/* Frees every kept buffer with free(). The pool may be used again. */
void pool_clear(struct pool *pool);

#endif
