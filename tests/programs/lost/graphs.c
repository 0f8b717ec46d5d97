/* Blocks that are lost, alone and with what they lead to. */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cases.h"

struct node {
    struct node *next;
    struct node *other;
    char rest[88];
};

_Static_assert(sizeof(struct node) == 104, "the known answers count on it");

static void *volatile held; /* what a case keeps */

static NOINLINE void lose_ten(void)
{
    for (int i = 0; i < 10; i++) {
        case_fill(malloc(100), 100);
    }
}

static void callee(void)
{
    lose_ten();
    case_ready();
}

/* A node before the others: it leads to them. */
static struct node *node_add(struct node *node, struct node *next)
{
    case_fill(node, sizeof(*node));
    node->next = next;
    node->other = NULL;
    return node;
}

static NOINLINE void lose_chain(void)
{
    struct node *head = NULL;
    for (int i = 0; i < 5; i++) {
        head = node_add(malloc(sizeof(*head)), head);
    }
}

static void chain(void)
{
    lose_chain();
    case_ready();
}

static NOINLINE void lose_ring(void)
{
    struct node *last = node_add(malloc(sizeof(*last)), NULL);
    struct node *head = last;
    for (int i = 0; i < 2; i++) {
        head = node_add(malloc(sizeof(*head)), head);
    }
    last->next = head;
}

static void cycle(void)
{
    lose_ring();
    case_ready();
}

static void sibling_cycles(void)
{
    lose_ring();
    lose_ring();
    case_ready();
}

/* A ring of two, one of which leads to three more: one in its place is direct. */
static NOINLINE void lose_ring_with_tail(void)
{
    struct node *tail = NULL;
    for (int i = 0; i < 3; i++) {
        tail = node_add(malloc(sizeof(*tail)), tail);
    }
    struct node *one = node_add(malloc(sizeof(*one)), NULL);
    struct node *two = node_add(malloc(sizeof(*two)), one);
    one->next = two;
    one->other = tail;
}

static void cycle_with_tail(void)
{
    lose_ring_with_tail();
    case_ready();
}

/* What leads to a ring is direct, so none of the ring is. */
static NOINLINE void lose_ring_with_head(void)
{
    struct node *one = node_add(malloc(sizeof(*one)), NULL);
    struct node *two = node_add(malloc(sizeof(*two)), one);
    one->next = two;
    node_add(malloc(sizeof(*one)), one);
}

static void cycle_with_head(void)
{
    lose_ring_with_head();
    case_ready();
}

static NOINLINE void lose_self(void)
{
    struct node *node = node_add(malloc(sizeof(*node)), NULL);
    node->next = node;
}

static void self_pointer(void)
{
    lose_self();
    case_ready();
}

/* The left and the right of a node are its `next` and `other`. */
static NOINLINE struct node *lose_tree(int height)
{
    if (height == 0) {
        return NULL;
    }
    struct node *node = node_add(malloc(sizeof(*node)), NULL);
    node->next = lose_tree(height - 1);
    node->other = lose_tree(height - 1);
    return node;
}

static NOINLINE void tree_build(void)
{
    struct node *volatile root = lose_tree(3);
    root = NULL;
    (void)root;
}

static void tree(void)
{
    tree_build();
    case_ready();
}

/* A ring that a global leads into: none of it is lost. */
static NOINLINE void keep_ring(void)
{
    struct node *one = node_add(malloc(sizeof(*one)), NULL);
    one->next = node_add(malloc(sizeof(*one)), one);
    held = one;
}

static void held_cycle(void)
{
    keep_ring();
    case_ready();
}

/* Only a block that is free again has the pointer. */
static NOINLINE void lose_from_freed(void)
{
    void *volatile *owner = case_fill(malloc(200), 200);
    owner[8] = case_fill(malloc(100), 100);
    case_fill(malloc(100), 100);
    free((void *)owner);
}

static void freed_holder(void)
{
    lose_from_freed();
    case_ready();
}

/* A pointer that is not in memory as it is cannot be seen. */
static volatile uintptr_t hidden;

static NOINLINE void lose_by_xor(void)
{
    hidden = (uintptr_t)case_fill(malloc(100), 100) ^ (uintptr_t)0x5a5a5a5a5a5a5a5a;
}

static void xor_pointer(void)
{
    lose_by_xor();
    case_ready();
}

static NOINLINE void lose_first(void)
{
    held = case_fill(malloc(100), 100);
}

static NOINLINE void keep_second(void)
{
    held = case_fill(malloc(200), 200);
}

static void overwritten(void)
{
    lose_first();
    keep_second();
    case_ready();
}

/* A pointer just behind a block is none to it. */
static NOINLINE void lose_by_end(void)
{
    held = (char *)case_fill(malloc(100), 100) + 100;
}

static void end_pointer(void)
{
    lose_by_end();
    case_ready();
}

/* A pointer at an address that is no multiple of 8 is not seen. */
static struct {
    char one;
    char pointer[sizeof(void *)];
} __attribute__((aligned(8))) odd;

static NOINLINE void lose_by_odd(void)
{
    void *block = case_fill(malloc(100), 100);
    memcpy(odd.pointer, &block, sizeof(block));
}

static void odd_pointer(void)
{
    lose_by_odd();
    case_ready();
}

static const struct lost_case cases[] = {
    {"callee", callee, .lost = {LOST("lose_ten", 10, 1000, 10, 1000)}},
    {"chain", chain, .lost = {LOST("lose_chain", 5, 520, 1, 104)}},
    {"cycle", cycle, .lost = {LOST("lose_ring", 3, 312, 1, 104)}},
    {"sibling-cycles", sibling_cycles, .lost = {LOST("lose_ring", 6, 624, 2, 208)}},
    {"cycle-with-tail", cycle_with_tail,
     .lost = {LOST("lose_ring_with_tail", 5, 520, 1, 104)}},
    {"cycle-with-head", cycle_with_head,
     .lost = {LOST("lose_ring_with_head", 3, 312, 1, 104)}},
    {"self-pointer", self_pointer, .lost = {LOST("lose_self", 1, 104, 1, 104)}},
    {"tree", tree, .lost = {LOST("lose_tree", 7, 728, 1, 104)}},
    {"held-cycle", held_cycle, .kept = {KEPT("keep_ring", 2, 208)}},
    {"freed-holder", freed_holder, .lost = {LOST("lose_from_freed", 2, 200, 2, 200)}},
    {"xor-pointer", xor_pointer, .lost = {LOST("lose_by_xor", 1, 100, 1, 100)}},
    {"overwritten", overwritten, .lost = {LOST("lose_first", 1, 100, 1, 100)},
     .kept = {KEPT("keep_second", 1, 200)}},
    {"end-pointer", end_pointer, .lost = {LOST("lose_by_end", 1, 100, 1, 100)}},
    {"odd-pointer", odd_pointer, .lost = {LOST("lose_by_odd", 1, 100, 1, 100)}},
    {.name = NULL},
};

int main(int count, char **arguments)
{
    return cases_main(count, arguments, cases);
}
