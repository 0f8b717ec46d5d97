/*
 * An object is memory with a reference count, a finalizer that runs when the count
 * reaches zero, and weak references that don't count. Two objects that hold each other
 * strongly never reach zero: that is what a weak reference is for.
 */
#ifndef LAB_RUNTIME_OBJECT_H
#define LAB_RUNTIME_OBJECT_H

#include <stdatomic.h>

/* The first member of the struct that is to be counted, which comes from the caller's
 * malloc and is freed with free(). The members are private. */
struct object {
    atomic_uint strong;
    atomic_uint weak; /* weak references, and one for all the strong ones together */
    void (*finalize)(struct object *object);
};

/* Starts the count at one. `finalize` (may be NULL) runs once, when the last strong
 * reference is released, before the memory is freed: it releases what the object
 * holds, not the object. */
void object_init(struct object *object, void (*finalize)(struct object *object));

/* One strong reference more; returns `object`. */
struct object *object_retain(struct object *object);

/* One strong reference less; takes NULL. */
void object_release(struct object *object);

/* One weak reference more; returns `object`. The holder must not touch the object
 * but through object_lock. */
struct object *object_retain_weak(struct object *object);

/* One weak reference less; takes NULL. The memory is freed when neither kind is left.
 */
void object_release_weak(struct object *object);

/* A strong reference made from a weak one, to be released; NULL if it is gone. */
struct object *object_lock(struct object *object);

#endif
