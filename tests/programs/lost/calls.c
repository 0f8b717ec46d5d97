/* Every call that makes a block: one block of each is lost, another is kept. */

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "cases.h"

static void *volatile held[8];

static NOINLINE void lose_calloc(void)
{
    case_fill(calloc(10, 30), 300);
}

static NOINLINE void keep_calloc(void)
{
    held[0] = case_fill(calloc(10, 31), 310);
}

static void calloc_case(void)
{
    lose_calloc();
    keep_calloc();
    case_ready();
}

static NOINLINE void lose_realloc(void)
{
    void *block = case_fill(malloc(50), 50);
    block = case_fill(realloc(block, 5000), 5000);
    case_fill(realloc(block, 700), 700);
}

static NOINLINE void keep_realloc(void)
{
    held[0] = case_fill(realloc(NULL, 60), 60);
    held[0] = case_fill(realloc(held[0], 6000), 6000);
}

static void realloc_case(void)
{
    lose_realloc();
    keep_realloc();
    case_ready();
}

/* The only pointer to a block moves with the block that it is in. */
static NOINLINE void keep_in_realloc(void)
{
    void **table = case_fill(malloc(80), 80);
    case_fill(malloc(400), 400); /* is lost */
    table[3] = case_fill(malloc(90), 90);
    held[0] = realloc(table, 100 * 1024);
    case_need(held[0] != NULL, "memory");
}

static void realloc_owner(void)
{
    keep_in_realloc();
    case_ready();
}

static NOINLINE void lose_aligned(void)
{
    void *block = NULL;
    case_fill(aligned_alloc(64, 640), 640);
    case_need(posix_memalign(&block, 4096, 1000) == 0, "memory");
    case_fill(block, 1000);
    block = NULL;
    case_fill(memalign(32, 100), 100);
}

static NOINLINE void keep_aligned(void)
{
    void *block = NULL;
    held[0] = case_fill(aligned_alloc(64, 640), 640);
    case_need(posix_memalign(&block, 4096, 1000) == 0, "memory");
    held[1] = case_fill(block, 1000);
    held[2] = case_fill(memalign(32, 100), 100);
}

static void aligned(void)
{
    lose_aligned();
    keep_aligned();
    case_ready();
}

static NOINLINE void lose_text(void)
{
    char *volatile text = strdup("a text of 27 bytes and a 0.");
    text = strndup("only the beginning", 8);
    (void)text;
}

static NOINLINE void keep_text(void)
{
    held[0] = strdup("a text that stays");
}

static void text(void)
{
    lose_text();
    keep_text();
    case_ready();
}

static char lines[] = "first\nsecond\n";

static NOINLINE void lose_line(void)
{
    char *line = NULL;
    size_t room = 0;
    FILE *file = fmemopen(lines, sizeof(lines) - 1, "r");
    case_need(file != NULL && getline(&line, &room, file) == 6, "getline");
    fclose(file);
}

static NOINLINE void keep_line(void)
{
    char *line = NULL;
    size_t room = 0;
    FILE *file = fmemopen(lines, sizeof(lines) - 1, "r");
    case_need(file != NULL && getline(&line, &room, file) == 6, "getline");
    held[0] = line;
    fclose(file);
}

/* The C library's getline begins with 120 bytes. */
static void line(void)
{
    lose_line();
    keep_line();
    case_ready();
}

/* Makes a text in memory of 5000 bytes, and its end. */
static char *stream_write(size_t *bytes)
{
    char *text = NULL;
    FILE *file = open_memstream(&text, bytes);
    case_need(file != NULL, "open_memstream");
    for (int i = 0; i < 5000; i++) {
        fputc('x', file);
    }
    fclose(file);
    return text;
}

static NOINLINE void lose_stream(void)
{
    size_t bytes = 0;
    case_need(stream_write(&bytes) != NULL && bytes == 5000, "stream");
}

static NOINLINE void keep_stream(void)
{
    size_t bytes = 0;
    held[0] = stream_write(&bytes);
    case_need(bytes == 5000, "stream");
}

static void stream(void)
{
    lose_stream();
    keep_stream();
    case_ready();
}

static NOINLINE void lose_formatted(void)
{
    char *text = NULL;
    case_need(asprintf(&text, "%0*d", 499, 7) == 499, "asprintf");
}

static NOINLINE void keep_formatted(void)
{
    char *text = NULL;
    case_need(asprintf(&text, "%0*d", 599, 7) == 599, "asprintf");
    held[0] = text;
}

static void formatted(void)
{
    lose_formatted();
    keep_formatted();
    case_ready();
}

/* Large enough for a mapping of its own, and not larger: a word of which only the upper
 * half is left over from an address may point into it. */
#define HUGE ((size_t)12 * 1024 * 1024)

static NOINLINE void lose_huge(void)
{
    case_fill(malloc(HUGE), 4096);
}

static NOINLINE void keep_huge(void)
{
    held[0] = (char *)case_fill(malloc(HUGE), 4096) + HUGE / 2;
}

static void huge(void)
{
    lose_huge();
    keep_huge();
    case_ready();
}

/* The pointer is in the middle of a block that has a mapping of its own. */
static NOINLINE void keep_behind_huge(void)
{
    char *block = case_fill(malloc(HUGE), HUGE);
    void *small = case_fill(malloc(100), 100);
    memcpy(block + HUGE / 2, &small, sizeof(small));
    held[0] = block;
}

static void behind_huge(void)
{
    keep_behind_huge();
    case_ready();
}

static NOINLINE void lose_nothing(void)
{
    void *volatile block = malloc(0);
    block = NULL;
    (void)block;
}

static NOINLINE void keep_nothing(void)
{
    held[0] = malloc(0);
}

static void zero_bytes(void)
{
    lose_nothing();
    keep_nothing();
    case_ready();
}

/* 1000 of each kind, in many sizes, mixed. */
static NOINLINE void lose_many(int i)
{
    case_fill(malloc((size_t)i), (size_t)i);
}

static NOINLINE void keep_many(int i, void **head)
{
    void **block = case_fill(malloc((size_t)i + 8), (size_t)i + 8);
    *block = *head;
    *head = block;
}

static void mixed(void)
{
    void *head = NULL;
    for (int i = 1; i <= 1000; i++) {
        free(case_fill(malloc((size_t)i * 3), (size_t)i * 3));
        lose_many(i);
        keep_many(i, &head);
    }
    held[0] = head;
    case_ready();
}

static const struct lost_case cases[] = {
    {"calloc", calloc_case, .lost = {LOST("lose_calloc", 1, 300, 1, 300)},
     .kept = {KEPT("keep_calloc", 1, 310)}},
    {"realloc", realloc_case, .lost = {LOST("lose_realloc", 1, 700, 1, 700)},
     .kept = {KEPT("keep_realloc", 1, 6000)}},
    {"realloc-owner", realloc_owner, .lost = {LOST("keep_in_realloc", 1, 400, 1, 400)},
     .kept = {KEPT("keep_in_realloc", 2, 90 + 100 * 1024)}},
    {"aligned", aligned, .lost = {LOST("lose_aligned", 3, 1740, 3, 1740)},
     .kept = {KEPT("keep_aligned", 3, 1740)}},
    {"text", text, .lost = {LOST("lose_text", 2, 28 + 9, 2, 28 + 9)},
     .kept = {KEPT("keep_text", 1, 18)}},
    {"line", line, .lost = {LOST("lose_line", 1, 120, 1, 120)},
     .kept = {KEPT("keep_line", 1, 120)}},
    {"stream", stream, .lost = {LOST("lose_stream", 1, 5001, 1, 5001)},
     .kept = {KEPT("keep_stream", 1, 5001)}},
    {"formatted", formatted, .lost = {LOST("lose_formatted", 1, 500, 1, 500)},
     .kept = {KEPT("keep_formatted", 1, 600)}},
    {"huge", huge, .lost = {LOST("lose_huge", 1, HUGE, 1, HUGE)},
     .kept = {KEPT("keep_huge", 1, HUGE)}},
    {"behind-huge", behind_huge, .kept = {KEPT("keep_behind_huge", 2, HUGE + 100)}},
    {"zero-bytes", zero_bytes, .lost = {LOST("lose_nothing", 1, 0, 1, 0)},
     .kept = {KEPT("keep_nothing", 1, 0)}},
    {"mixed", mixed, .lost = {LOST("lose_many", 1000, 500500, 1000, 500500)},
     .kept = {KEPT("keep_many", 1000, 508500)}},
    {.name = NULL},
};

int main(int count, char **arguments)
{
    return cases_main(count, arguments, cases);
}
