#include "probe/resources/range_notes.h"

/* Numbers begin with 1. */
static struct range_node *node_at(const struct range_notes *notes, uint32_t number)
{
    uint32_t at = number - 1;
    return &notes->chunks[at / RANGE_CHUNK_NODES][at % RANGE_CHUNK_NODES];
}

/* The random number of a node is made from its own: it needs no memory. */
static uint32_t weight_of(uint32_t number)
{
    number ^= number >> 16;
    number *= 0x85ebca6bU;
    number ^= number >> 13;
    number *= 0xc2b2ae35U;
    return number ^ number >> 16;
}

uint32_t probe_range_notes_spare(const struct range_notes *notes)
{
    return notes->chunk_count * RANGE_CHUNK_NODES - notes->count;
}

bool probe_range_notes_grow(struct range_notes *notes, struct range_node *chunk)
{
    if (notes->chunk_count == RANGE_CHUNKS) {
        return false;
    }
    notes->chunks[notes->chunk_count++] = chunk;
    return true;
}

/* Returns 0 if there is no memory. */
static uint32_t node_new(struct range_notes *notes, struct range_note content)
{
    uint32_t number = notes->freed;
    if (number != 0) {
        notes->freed = node_at(notes, number)->left;
    } else if (notes->used < notes->chunk_count * RANGE_CHUNK_NODES) {
        number = ++notes->used;
    } else {
        return 0;
    }
    *node_at(notes, number) = (struct range_node){.content = content};
    notes->count++;
    return number;
}

static void node_free(struct range_notes *notes, uint32_t number)
{
    node_at(notes, number)->left = notes->freed;
    notes->freed = number;
    notes->count--;
}

/* Divides a tree: what begins below the address, and the rest. */
static void split(struct range_notes *notes, uint32_t tree, uintptr_t address,
                  uint32_t *ret_below, uint32_t *ret_above)
{
    while (tree != 0) {
        struct range_node *node = node_at(notes, tree);
        if (node->content.range.start < address) {
            *ret_below = tree;
            ret_below = &node->right;
            tree = node->right;
        } else {
            *ret_above = tree;
            ret_above = &node->left;
            tree = node->left;
        }
    }
    *ret_below = 0;
    *ret_above = 0;
}

/* Joins two trees, of which one is below the other. Returns the root. */
static uint32_t merge(struct range_notes *notes, uint32_t below, uint32_t above)
{
    uint32_t root = 0;
    uint32_t *link = &root;
    while (below != 0 && above != 0) {
        if (weight_of(below) > weight_of(above)) {
            *link = below;
            link = &node_at(notes, below)->right;
            below = *link;
        } else {
            *link = above;
            link = &node_at(notes, above)->left;
            above = *link;
        }
    }
    *link = below != 0 ? below : above;
    return root;
}

static bool insert(struct range_notes *notes, struct range_note content)
{
    uint32_t number = node_new(notes, content);
    if (number == 0) {
        return false;
    }
    uint32_t *link = &notes->root;
    while (*link != 0 && weight_of(*link) >= weight_of(number)) {
        struct range_node *node = node_at(notes, *link);
        bool below = content.range.start < node->content.range.start;
        link = below ? &node->left : &node->right;
    }
    struct range_node *node = node_at(notes, number);
    split(notes, *link, content.range.start, &node->left, &node->right);
    *link = number;
    return true;
}

/* Takes away the note that begins at the address. */
static void erase(struct range_notes *notes, uintptr_t start)
{
    uint32_t *link = &notes->root;
    while (*link != 0) {
        struct range_node *node = node_at(notes, *link);
        if (node->content.range.start == start) {
            uint32_t number = *link;
            *link = merge(notes, node->left, node->right);
            node_free(notes, number);
            return;
        }
        link = start < node->content.range.start ? &node->left : &node->right;
    }
}

/* The first node that ends behind the address; NULL if there is none. */
static struct range_node *node_behind(const struct range_notes *notes,
                                      uintptr_t address)
{
    struct range_node *found = NULL;
    uint32_t number = notes->root;
    while (number != 0) {
        struct range_node *node = node_at(notes, number);
        if (node->content.range.end > address) {
            found = node;
            number = node->left;
        } else {
            number = node->right;
        }
    }
    return found;
}

bool probe_range_notes_find(const struct range_notes *notes, uintptr_t address,
                            struct range_note *ret_note)
{
    const struct range_node *node = node_behind(notes, address);
    if (node != NULL) {
        *ret_note = node->content;
    }
    return node != NULL;
}

/* Takes the range out of a node that overlaps it. In place, a node only gets smaller:
 * the order stays. */
static void node_cut(struct range_notes *notes, struct range_node *node,
                     struct range range)
{
    struct range_note *content = &node->content;
    if (content->range.start >= range.start && content->range.end <= range.end) {
        erase(notes, content->range.start);
    } else if (content->range.start >= range.start) {
        content->range.start = range.end;
    } else {
        struct range_note upper = *content;
        upper.range.start = range.end;
        content->range.end = range.start;
        if (upper.range.start < upper.range.end) {
            (void)insert(notes, upper);
        }
    }
}

static struct range overlap(struct range one, struct range other)
{
    return (struct range){one.start > other.start ? one.start : other.start,
                          one.end < other.end ? one.end : other.end};
}

size_t probe_range_notes_take(struct range_notes *notes, struct range range,
                              struct range_note *ret_parts, size_t size)
{
    size_t parts = 0;
    if (range.start >= range.end) {
        return 0;
    }
    struct range_node *node;
    while ((node = node_behind(notes, range.start)) != NULL &&
           node->content.range.start < range.end) {
        if (ret_parts != NULL && parts < size) {
            ret_parts[parts] = node->content;
            ret_parts[parts].range = overlap(node->content.range, range);
        }
        parts++;
        node_cut(notes, node, range);
    }
    return parts;
}

static bool is_alike(struct resource_note one, struct resource_note other)
{
    uint32_t apart =
        one.made > other.made ? one.made - other.made : other.made - one.made;
    return one.stack == other.stack && apart <= RANGE_JOINED_TICKS;
}

static void join(struct range_note *neighbour, struct range_note note)
{
    if (note.range.start < neighbour->range.start) {
        neighbour->range.start = note.range.start;
    } else {
        neighbour->range.end = note.range.end;
    }
    if (neighbour->placed < note.placed) {
        neighbour->placed = note.placed;
    }
}

bool probe_range_notes_put(struct range_notes *notes, struct range_note note)
{
    if (note.range.start >= note.range.end) {
        return true;
    }
    probe_range_notes_take(notes, note.range, NULL, 0);
    struct range_node *before = node_behind(notes, note.range.start - 1);
    if (before != NULL && before->content.range.end == note.range.start &&
        is_alike(before->content.note, note.note)) {
        join(&before->content, note);
        return true;
    }
    struct range_node *behind = node_behind(notes, note.range.end);
    if (behind != NULL && behind->content.range.start == note.range.end &&
        is_alike(behind->content.note, note.note)) {
        join(&behind->content, note);
        return true;
    }
    return insert(notes, note);
}

void probe_range_notes_clear(struct range_notes *notes)
{
    notes->used = notes->freed = notes->count = notes->root = 0;
}
