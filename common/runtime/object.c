/*
 * All strong references together hold one weak reference, so the memory lives until the
 * finalizer has run. The last release of either kind frees it.
 */
#include "runtime/object.h"

#include <assert.h>
#include <stdlib.h>

void object_init(struct object *object, void (*finalize)(struct object *object))
{
    atomic_init(&object->strong, 1);
    atomic_init(&object->weak, 1);
    object->finalize = finalize;
}

struct object *object_retain(struct object *object)
{
    unsigned before = atomic_fetch_add(&object->strong, 1);
    /* A caller without a strong reference must use object_lock. */
    assert(before > 0);
    (void)before;
    return object;
}

void object_release(struct object *object)
{
    if (object == NULL) {
        return;
    }
    unsigned before = atomic_fetch_sub(&object->strong, 1);
    assert(before > 0);
    if (before == 1) {
        if (object->finalize != NULL) {
            object->finalize(object);
        }
        object_release_weak(object);
    }
}

struct object *object_retain_weak(struct object *object)
{
    unsigned before = atomic_fetch_add(&object->weak, 1);
    assert(before > 0);
    (void)before;
    return object;
}

void object_release_weak(struct object *object)
{
    if (object == NULL) {
        return;
    }
    unsigned before = atomic_fetch_sub(&object->weak, 1);
    assert(before > 0);
    if (before == 1) {
        free(object);
    }
}

struct object *object_lock(struct object *object)
{
    if (object == NULL) {
        return NULL;
    }
    /* A count of zero must stay zero: the finalizer may be running already. */
    unsigned strong = atomic_load(&object->strong);
    while (strong > 0) {
        if (atomic_compare_exchange_weak(&object->strong, &strong, strong + 1)) {
            return object;
        }
    }
    return NULL;
}
