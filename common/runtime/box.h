/*
 * A box holds a value of any type together with its type, as a Go interface value does.
 * It holds the whole value, even if only a part of it is wanted.
 */
#ifndef LAB_RUNTIME_BOX_H
#define LAB_RUNTIME_BOX_H

#include <stddef.h>

struct box_type {
    const char *name;
    size_t bytes;                    /* of the contents; 0 if it varies */
    void (*release)(void *contents); /* NULL: the box does not own the contents */
};

/* Lives in memory that the caller owns. */
struct box {
    const struct box_type *type; /* NULL: empty */
    void *contents;
};

/* Puts `contents` into the box, which owns it from now on if the type has a release. */
void box_init(struct box *box, const struct box_type *type, void *contents);

/* The contents if the box holds that type, else NULL: Go's type assertion. */
void *box_get(const struct box *box, const struct box_type *type);

/* Releases the contents and leaves the box empty; an empty box may be released. */
void box_release(struct box *box);

#endif
