/*
 * The icicle of a heap: what is in use, by who asked for it. Rows go from the thread's
 * start at the top to the allocation at the bottom.
 */
#include <stdlib.h>
#include <string.h>

#include "leakcheck/report/html.h"
#include "leakcheck/report/text.h"

#define NODES_MAX 20000
#define SHOWN_PART 0.004 /* narrower nodes could not be seen */
#define DEPTH_SHOWN 40

/* One function as called from its parent. */
struct node {
    const struct frame *frame; /* NULL at the root */
    int64_t bytes;
    struct node *children; /* largest first, once sorted */
    struct node *next;
};

struct tree {
    struct node root;
    struct arena arena;
    size_t count;
};

static struct node *child_find(struct tree *tree, struct node *parent,
                               const struct frame *frame)
{
    for (struct node *child = parent->children; child != NULL; child = child->next) {
        if (strcmp(child->frame->function, frame->function) == 0) {
            return child;
        }
    }
    struct node *child = NULL;
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

/* The server's own buffer for writing this profile is no part of the picture. */
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

static void record_add(struct tree *tree, const struct record *record)
{
    int64_t bytes = record->amounts.inuse_bytes;
    if (bytes <= 0 || record->frame_count == 0 || is_profiling(record)) {
        return;
    }
    struct node *node = &tree->root;
    node->bytes += bytes;
    for (size_t i = record->frame_count; i-- > 0;) {
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

/* Largest first: an insertion sort, because lists are short. */
static void children_sort(struct node *parent)
{
    struct node *sorted = NULL;
    struct node *child = parent->children;
    while (child != NULL) {
        struct node *next = child->next;
        struct node **place = &sorted;
        while (*place != NULL && (*place)->bytes >= child->bytes) {
            place = &(*place)->next;
        }
        child->next = *place;
        *place = child;
        child = next;
    }
    parent->children = sorted;
}

/* The kind of code, for the colour. */
static const char *node_class(const struct frame *frame)
{
    if (frame->file == NULL) {
        return "library";
    }
    return strncmp(frame->file, "common/", 7) == 0 ? "common" : "own";
}

static void node_write(struct buffer *page, struct node *node, int64_t total, int depth)
{
    children_sort(node);
    if (node->frame != NULL) {
        struct text bytes = text_bytes((double)node->bytes);
        buffer_printf(page, "<b class=\"%s\" title=\"", node_class(node->frame));
        html_text(page, node->frame->function);
        if (node->frame->file != NULL) {
            buffer_text(page, " ");
            html_text(page, node->frame->file);
            buffer_printf(page, ":%u", node->frame->line);
        }
        buffer_printf(page, " - %s, %.1f %%\">", bytes.at,
                      100.0 * (double)node->bytes / (double)total);
        html_text(page, node->frame->function);
        buffer_printf(page, " %s</b>", bytes.at);
    }
    if (node->children == NULL || depth == DEPTH_SHOWN) {
        return;
    }
    buffer_text(page, "<div class=\"row\">");
    for (struct node *child = node->children; child != NULL; child = child->next) {
        if ((double)child->bytes < SHOWN_PART * (double)total) {
            break;
        }
        buffer_printf(page, "<div style=\"width:%.3f%%\">",
                      100.0 * (double)child->bytes / (double)node->bytes);
        node_write(page, child, total, depth + 1);
        buffer_text(page, "</div>");
    }
    buffer_text(page, "</div>");
}

/* Frames that everything has in common say nothing: the tree starts where it first
 * divides. */
static struct node *first_fork(struct node *node)
{
    while (node->children != NULL && node->children->next == NULL &&
           node->children->children != NULL) {
        node = node->children;
    }
    return node;
}

void html_icicle(struct buffer *page, const struct profile *profile)
{
    struct tree tree = {0};
    for (size_t i = 0; i < profile->count; i++) {
        record_add(&tree, &profile->records[i]);
    }
    if (tree.root.bytes == 0) {
        buffer_text(page, "<p>The profile holds no stacks with names.</p>");
    } else {
        struct node *top = first_fork(&tree.root);
        buffer_printf(page, "<div class=\"icicle\"><b class=\"all\">all: %s in use</b>",
                      text_bytes((double)tree.root.bytes).at);
        struct node unnamed = *top;
        unnamed.frame = NULL;
        node_write(page, &unnamed, tree.root.bytes, 0);
        buffer_text(page, "</div>");
    }
    arena_release(&tree.arena);
}
