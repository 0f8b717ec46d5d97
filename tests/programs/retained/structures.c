/* Blocks that lead to other blocks: a run of the same function is one step. */
#include <search.h>

#include "cases.h"

struct item {
    struct item *next;
    struct item *other;
    void *load;
};

static struct item *volatile list;
static struct item *volatile chain;
static struct item *volatile tree;
static struct item *volatile ring;
static void *volatile names;
static struct item **volatile table;
static struct item *volatile buckets[4];

static APART struct item *list_add(struct item *next)
{
    struct item *item = TOLD(calloc(1, sizeof(*item)));
    item->next = next;
    return item;
}

static APART void *list_load(void)
{
    return TOLD(malloc(90));
}

/* 30: 720 @ list_add < global list
 * 30: 2700 @ list_load < list_add < global list */
static void case_list(void)
{
    struct item *first = NULL;
    for (int i = 0; i < 30; i++) {
        first = list_add(first);
        first->load = list_load();
    }
    list = first;
}

static APART struct item *chain_add(void)
{
    return TOLD(calloc(1, sizeof(struct item)));
}

/* Linked both ways.
 * 12: 288 @ chain_add < global chain */
static void case_doubly_linked(void)
{
    struct item *first = chain_add();
    for (int i = 1; i < 12; i++) {
        struct item *item = chain_add();
        item->next = first;
        first->other = item;
        first = item;
    }
    chain = first;
}

static APART struct item *tree_make(int depth)
{
    struct item *item = TOLD(calloc(1, sizeof(*item)));
    if (depth > 0) {
        item->next = tree_make(depth - 1);
        item->other = tree_make(depth - 1);
    }
    return item;
}

static APART void *leaf_load(void)
{
    return TOLD(malloc(33));
}

/* 15: 360 @ tree_make < global tree
 * 1: 33 @ leaf_load < tree_make < global tree */
static void case_tree(void)
{
    tree = tree_make(3);
    tree->next->other->next->load = leaf_load();
}

static APART struct item *ring_add(void)
{
    return TOLD(calloc(1, sizeof(struct item)));
}

static APART struct item *ring_inner(void)
{
    return TOLD(calloc(2, sizeof(struct item)));
}

/* A circle that is held from outside; with a second kind of block in it.
 * 3: 72 @ ring_add < global ring
 * 1: 48 @ ring_inner < ring_add < global ring */
static void case_cycle(void)
{
    struct item *first = ring_add();
    first->next = ring_add();
    first->next->next = ring_add();
    first->next->next->next = ring_inner();
    first->next->next->next->next = first;
    ring = first;
}

static APART struct item **table_make(void)
{
    return TOLD(calloc(16, sizeof(struct item *)));
}

static APART struct item *entry_make(struct item *next)
{
    struct item *item = TOLD(calloc(1, sizeof(*item)));
    item->next = next;
    return item;
}

static APART void *key_make(void)
{
    return TOLD(strdup("key"));
}

/* An own hash table with chains.
 * 1: 128 @ table_make < global table
 * 40: 960 @ entry_make < table_make < global table
 * 40: 160 @ key_make < entry_make < table_make < global table */
static void case_hash_table(void)
{
    struct item **places = table_make();
    for (int i = 0; i < 40; i++) {
        places[i % 16] = entry_make(places[i % 16]);
        places[i % 16]->load = key_make();
    }
    table = places;
}

static APART struct item *bucket_add(struct item *next)
{
    struct item *item = TOLD(calloc(1, sizeof(*item)));
    item->next = next;
    if (next != NULL) {
        next->other = item;
    }
    return item;
}

/* Chains in an array of the program's, linked both ways as uthash does.
 * 10: 240 @ bucket_add < global buckets */
static void case_buckets(void)
{
    for (int i = 0; i < 10; i++) {
        buckets[i % 4] = bucket_add(buckets[i % 4]);
    }
}

static int compare(const void *one, const void *other)
{
    return one < other ? -1 : one > other;
}

static APART void *name_make(void)
{
    return TOLD(malloc(55));
}

static APART void name_add(void *name)
{
    if (tsearch(name, (void **)&names, compare) == NULL) {
        abort();
    }
}

/* The C library allocates the nodes, and its caller is named.
 * 9: 216 @ name_add < global names
 * 9: 495 @ name_make < name_add < global names */
static void case_tsearch(void)
{
    for (int i = 0; i < 9; i++) {
        name_add(name_make());
    }
}

static APART void *word_make(int number)
{
    char *word = TOLD(malloc(30));
    snprintf(word, 30, "word%d", number);
    return word;
}

static APART void words_make(void)
{
    if (hcreate(20) == 0) {
        abort();
    }
}

static APART void word_add(char *word)
{
    if (hsearch((ENTRY){.key = word}, ENTER) == NULL) {
        abort();
    }
}

/* The table is a variable of the C library's.
 * 1: * @ words_make < library libc.so.6
 * 7: 210 @ word_make < words_make < library libc.so.6 */
static void case_hsearch(void)
{
    words_make();
    for (int i = 0; i < 7; i++) {
        word_add(word_make(i));
    }
}

int main(int argc, char **argv)
{
    static const struct held_case cases[] = {
        {"list", case_list, false},
        {"doubly_linked", case_doubly_linked, false},
        {"tree", case_tree, false},
        {"cycle", case_cycle, false},
        {"hash_table", case_hash_table, false},
        {"buckets", case_buckets, false},
        {"tsearch", case_tsearch, false},
        {"hsearch", case_hsearch, false},
    };
    return cases_main(cases, sizeof(cases) / sizeof(cases[0]), argc, argv);
}
