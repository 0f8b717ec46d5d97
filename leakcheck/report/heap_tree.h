/*
 * The tree of a heap: the bytes in use, by the calls that led to them. The icicles of
 * the HTML report draw it.
 */
#ifndef LEAKCHECK_REPORT_HEAP_TREE_H
#define LEAKCHECK_REPORT_HEAP_TREE_H

#include "leakcheck/measure/profile.h"

/* One function as called from its parent. */
struct heap_node {
    const struct frame *frame;  /* the profile's; NULL at the root */
    int64_t bytes;              /* in use: its own, and of what it called */
    struct heap_node *children; /* largest first */
    struct heap_node *next;     /* in the list of its parent's children */
};

/* Lives in memory that the caller owns. */
struct heap_tree {
    struct heap_node root; /* the whole heap, without the profile's own buffer */
    struct arena arena;
    size_t count;
};

/* Makes the tree of a profile, which must outlive it. If memory is short, or there are
 * too many nodes to draw, the innermost functions are missing. The caller releases it.
 */
void heap_tree_make(struct heap_tree *ret_tree, const struct profile *profile);

/* The first node with more than one child. What is above it is the same for the whole
 * heap, so it tells nothing. */
const struct heap_node *heap_tree_fork(const struct heap_tree *tree);

void heap_tree_release(struct heap_tree *tree);

#endif
