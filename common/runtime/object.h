/*
 * An object is memory with a reference count and a finalizer, which runs when the count
 * reaches zero. Two objects that refer to each other never reach zero. Hence weak
 * references: they do not count, and do not keep the object alive.
 */
#ifndef LAB_RUNTIME_OBJECT_H
#define LAB_RUNTIME_OBJECT_H

#include <stdatomic.h>

/* The first member of the caller's struct, whose memory comes from malloc and is freed
 * with free(). The members are private. */
struct object {
    atomic_uint strong;
    atomic_uint weak; /* weak references, and one for all the strong ones together */
    void (*finalize)(struct object *object);
};

/* Starts the count at one. `finalize` (may be NULL) runs once, when the last strong
 * reference is released, before the memory is freed: it releases what the object
 * holds, not the object. */
void object_init(struct object *object, void (*finalize)(struct object *object));

/* Adds a strong reference; returns `object`. */
struct object *object_retain(struct object *object);

/* Removes a strong reference; takes NULL. */
void object_release(struct object *object);

/* Adds a weak reference; returns `object`. Its holder uses the object only through
 * object_lock. */
struct object *object_retain_weak(struct object *object);

/* Removes a weak reference; takes NULL. The memory is freed when neither kind is left.
 */
void object_release_weak(struct object *object);

/* Makes a strong reference from a weak one, for the caller to release; NULL if the
 * object has been finalized. */
struct object *object_lock(struct object *object);

#endif
