/*
 * Adds each stack of a profile to the tree, outermost frame first.
 */
#include "leakcheck/report/heap_tree.h"

#include <string.h>

#define NODES_MAX 20000
#define DEPTH_MAX 200 /* frames of a stack, outermost first */

static struct heap_node *child_find(struct heap_tree *tree, struct heap_node *parent,
                                    const struct frame *frame)
{
    for (struct heap_node *child = parent->children; child != NULL;
         child = child->next) {
        if (strcmp(child->frame->function, frame->function) == 0) {
            return child;
        }
    }
    struct heap_node *child = NULL;
    if (tree->count < NODES_MAX) {
        child = arena_alloc(&tree->arena, sizeof(*child));
    }
    if (child != NULL) {
        tree->count++;
        child->frame = frame;
        child->next = parent->children;
        parent->children = child;
    }
    return child;
}

/* The server's own buffer for writing this profile is not part of the picture. */
static bool is_profiling(const struct record *record)
{
    for (size_t i = 0; i < record->frame_count && i < 4; i++) {
        const char *function = record->frames[i].function;
        if (function != NULL && strcmp(function, "GetHeapProfile") == 0) {
            return true;
        }
    }
    return false;
}

static void record_add(struct heap_tree *tree, const struct record *record)
{
    int64_t bytes = record->amounts.inuse_bytes;
    if (bytes <= 0 || record->frame_count == 0 || is_profiling(record)) {
        return;
    }
    struct heap_node *node = &tree->root;
    node->bytes += bytes;
    size_t innermost =
        record->frame_count > DEPTH_MAX ? record->frame_count - DEPTH_MAX : 0;
    for (size_t i = record->frame_count; i-- > innermost;) {
        const struct frame *frame = &record->frames[i];
        if (frame->function == NULL) {
            continue;
        }
        node = child_find(tree, node, frame);
        if (node == NULL) {
            return;
        }
        node->bytes += bytes;
    }
}

/* An insertion sort, because lists are short. */
static void children_sort(struct heap_node *parent)
{
    struct heap_node *sorted = NULL;
    struct heap_node *child = parent->children;
    while (child != NULL) {
        struct heap_node *next = child->next;
        struct heap_node **place = &sorted;
        while (*place != NULL && (*place)->bytes >= child->bytes) {
            place = &(*place)->next;
        }
        child->next = *place;
        *place = child;
        child = next;
    }
    parent->children = sorted;
}

/* The recursion is at most DEPTH_MAX deep. */
static void node_sort(struct heap_node *node)
{
    children_sort(node);
    for (struct heap_node *child = node->children; child != NULL; child = child->next) {
        node_sort(child);
    }
}

void heap_tree_make(struct heap_tree *ret_tree, const struct profile *profile)
{
    *ret_tree = (struct heap_tree){.count = 0};
    for (size_t i = 0; i < profile->count; i++) {
        record_add(ret_tree, &profile->records[i]);
    }
    node_sort(&ret_tree->root);
}

const struct heap_node *heap_tree_fork(const struct heap_tree *tree)
{
    const struct heap_node *node = &tree->root;
    while (node->children != NULL && node->children->next == NULL &&
           node->children->children != NULL) {
        node = node->children;
    }
    return node;
}

void heap_tree_release(struct heap_tree *tree)
{
    arena_release(&tree->arena);
}
