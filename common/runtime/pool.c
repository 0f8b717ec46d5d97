/*
 * The buffer that was put last is taken first: it is most likely still in the
 * processor's cache.
 */
#include "runtime/pool.h"

#include <assert.h>
#include <stdlib.h>

struct pool_buffer {
    struct pool_buffer *next;
};

void *pool_get(struct pool *pool, size_t bytes)
{
    if (bytes != pool->bytes) {
        return NULL;
    }
    pthread_mutex_lock(&pool->lock);
    struct pool_buffer *buffer = pool->first;
    if (buffer != NULL) {
        pool->first = buffer->next;
        pool->count--;
    }
    pthread_mutex_unlock(&pool->lock);
    return buffer;
}

bool pool_put(struct pool *pool, void *buffer, size_t bytes)
{
    assert(buffer != NULL && pool->bytes >= sizeof(struct pool_buffer));
    if (bytes != pool->bytes) {
        return false;
    }
    pthread_mutex_lock(&pool->lock);
    bool kept = pool->count < pool->capacity;
    if (kept) {
        struct pool_buffer *first = buffer;
        first->next = pool->first;
        pool->first = first;
        pool->count++;
    }
    pthread_mutex_unlock(&pool->lock);
    return kept;
}

void pool_clear(struct pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    struct pool_buffer *buffer = pool->first;
    pool->first = NULL;
    pool->count = 0;
    pthread_mutex_unlock(&pool->lock);
    while (buffer != NULL) {
        struct pool_buffer *next = buffer->next;
        free(buffer);
        buffer = next;
    }
}
