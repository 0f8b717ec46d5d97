/* Blocks that only the C library's own tables lead to. */

#include <dirent.h>
#include <obstack.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "cases.h"

#define obstack_chunk_alloc malloc
#define obstack_chunk_free free

static NOINLINE void *keep_one(void)
{
    return case_fill(malloc(100), 100);
}

static NOINLINE void lose_one(void)
{
    case_fill(malloc(60), 60);
}

static struct obstack objects;

static NOINLINE void keep_objects(void)
{
    obstack_init(&objects);
    obstack_blank(&objects, 10000);
    void **table = obstack_finish(&objects);
    table[700] = keep_one();
}

static void obstack_case(void)
{
    keep_objects();
    lose_one();
    case_ready();
}

static NOINLINE void entry_add(char *key)
{
    ENTRY entry = {.key = key, .data = keep_one()};
    case_need(hsearch(entry, ENTER) != NULL, "hsearch");
}

static void hash_table(void)
{
    case_need(hcreate(100) != 0, "hcreate");
    entry_add("one");
    entry_add("two");
    lose_one();
    case_ready();
}

static void *root;

static int by_address(const void *one, const void *other)
{
    return one < other ? -1 : one > other;
}

/* The last bit of the nodes' pointers is a colour. */
static void search_tree(void)
{
    for (int i = 0; i < 100; i++) {
        case_need(tsearch(keep_one(), &root, by_address) != NULL, "tsearch");
    }
    lose_one();
    case_ready();
}

/* A list whose head is in the program, and an element taken out and forgotten. */
struct element {
    TAILQ_ENTRY(element) links;
    char rest[84];
};

static TAILQ_HEAD(elements, element) list = TAILQ_HEAD_INITIALIZER(list);

static NOINLINE void keep_element(void)
{
    struct element *element = case_fill(malloc(100), 100);
    TAILQ_INSERT_TAIL(&list, element, links);
}

static NOINLINE void lose_element(void)
{
    struct element *element = case_fill(malloc(200), 200);
    TAILQ_INSERT_HEAD(&list, element, links);
    TAILQ_REMOVE(&list, element, links);
}

static void tail_queue(void)
{
    for (int i = 0; i < 10; i++) {
        keep_element();
    }
    lose_element();
    case_ready();
}

/* The environment's text belongs to the program. */
static NOINLINE char *keep_text(void)
{
    char *text = case_fill(malloc(100), 100);
    snprintf(text, 100, "LOST_TEST=%s", "yes");
    return text;
}

static void environment(void)
{
    case_need(putenv(keep_text()) == 0, "putenv");
    case_ready();
}

static void nothing(int status, void *argument)
{
    (void)status;
    (void)argument;
}

static void exit_argument(void)
{
    case_need(on_exit(nothing, keep_one()) == 0, "on_exit");
    lose_one();
    case_ready();
}

/* A stream that is still open is in the C library's list. A directory is in none. */
static NOINLINE void keep_file(void)
{
    FILE *file = fopen("/proc/self/maps", "r");
    case_need(file != NULL && getc(file) != EOF, "fopen");
}

static NOINLINE void lose_directory(void)
{
    case_need(opendir("/") != NULL, "opendir");
}

static void open_file(void)
{
    keep_file();
    case_ready();
}

static void open_directory(void)
{
    lose_directory();
    case_ready();
}

static NOINLINE void keep_buffer(void)
{
    case_need(setvbuf(stderr, case_fill(malloc(5000), 5000), _IOFBF, 5000) == 0,
              "setvbuf");
}

static void buffer(void)
{
    keep_buffer();
    case_ready();
}

static const struct lost_case cases[] = {
    {"obstack", obstack_case, .lost = {LOST("lose_one", 1, 60, 1, 60)},
     .kept = {KEPT("keep_one", 1, 100)}},
    {"hash-table", hash_table, .lost = {LOST("lose_one", 1, 60, 1, 60)},
     .kept = {KEPT("keep_one", 2, 200)}},
    {"search-tree", search_tree, .lost = {LOST("lose_one", 1, 60, 1, 60)},
     .kept = {KEPT("keep_one", 100, 10000)}},
    {"tail-queue", tail_queue, .lost = {LOST("lose_element", 1, 200, 1, 200)},
     .kept = {KEPT("keep_element", 10, 1000)}},
    {"environment", environment, .kept = {KEPT("keep_text", 1, 100)}},
    {"exit-argument", exit_argument, .lost = {LOST("lose_one", 1, 60, 1, 60)},
     .kept = {KEPT("keep_one", 1, 100)}},
    {"open-file", open_file, .kept = {KEPT("keep_file", 2, 472 + 1024)}},
    {"open-directory", open_directory,
     .lost = {LOST("lose_directory", 1, 32816, 1, 32816)}},
    {"buffer", buffer, .kept = {KEPT("keep_buffer", 1, 5000)}},
    {.name = NULL},
};

int main(int count, char **arguments)
{
    return cases_main(count, arguments, cases);
}
