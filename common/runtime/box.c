/*
 * Types are compared by the address of their struct box_type, so two types with the
 * same name are different types.
 */
#include "runtime/box.h"

#include <assert.h>

void box_init(struct box *box, const struct box_type *type, void *contents)
{
    assert(type != NULL);
    *box = (struct box){.type = type, .contents = contents};
}

void *box_get(const struct box *box, const struct box_type *type)
{
    return box->type == type ? box->contents : NULL;
}

void box_release(struct box *box)
{
    struct box taken = *box;
    *box = (struct box){0};
    if (taken.type != NULL && taken.type->release != NULL) {
        taken.type->release(taken.contents);
    }
}
