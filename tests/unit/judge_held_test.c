/*
 * Tests of who holds what grew: profiles of what is retained, in the bytes of a
 * profile.proto that is written here field by field; and the words for it.
 */
#include "unit.h"

#include <string.h>

#include "base/amount.h"
#include "base/buffer.h"
#include "judge_heap.h"
#include "leakcheck/judge/held.h"
#include "leakcheck/report/held_text.h"
#include "proto_writer.h"

#define MAPS                                                                           \
    "\nMAPPED_LIBRARIES:\n1000-2000 r-xp 0 08:01 1 /bin/server\n"                      \
    "2000-3000 r-xp 0 08:01 2 /usr/lib/libx.so\n"
#define KEEP "#\t0x1010\tkeep+0x1\tx.c:3\n"
#define OTHER "#\t0x1020\tother+0x1\tx.c:9\n"

/* The places of all profiles here; the strings have the same numbers, after those of
 * the types. */
enum place { KEPT, OTHERS, COPY, SIGNATURES, ORDER, LOST, MAIN, LONG, PLACES };
enum { INUSE_SPACE = 1, BYTES = 2, PLACE = 3 };
static const uint64_t addresses[PLACES] = {
    [KEPT] = 0x100f, [OTHERS] = 0x101f, [COPY] = 0x202f, [MAIN] = 0x103f};
static char a_long_name[5000];
static const char *const names[PLACES] = {"keep",
                                          "other",
                                          "libx_copy",
                                          "global signatures (leaky/x.c:22)",
                                          "thread \"order\": order_await_payment",
                                          "lost",
                                          "main",
                                          a_long_name};

/* A message that is only in this place, and is released. */
static void message_end(struct buffer *to, unsigned field, struct buffer *message)
{
    proto_bytes(to, field, message->data, message->length);
    buffer_release(message);
}

static void places_put(struct buffer *to)
{
    for (unsigned i = 0; i < PLACES; i++) {
        struct buffer function = {0};
        struct buffer line = {0};
        struct buffer location = {0};
        proto_number(&function, 1, i + 1);
        proto_number(&function, 2, PLACE + i);
        message_end(to, 5, &function);
        proto_number(&line, 1, i + 1);
        proto_number(&location, 1, i + 1);
        if (addresses[i] != 0) {
            proto_number(&location, 3, addresses[i]);
        }
        message_end(&location, 4, &line);
        message_end(to, 4, &location);
    }
}

/* What was allocated at a place, and who holds it. */
struct kept {
    enum place place;
    enum place holder;
    uint64_t bytes;
};

/* A profile of what is retained, with the stacks up to one of 0 bytes. */
static struct profile retained_of(const struct kept *kept)
{
    struct profile profile = {0};
    struct failure failure = {""};
    struct buffer bytes = {0};
    struct buffer type = {0};
    proto_number(&type, 1, INUSE_SPACE);
    proto_number(&type, 2, BYTES);
    message_end(&bytes, 1, &type);
    for (; kept->bytes > 0; kept++) {
        struct buffer sample = {0};
        proto_number(&sample, 1, kept->place + 1);
        proto_number(&sample, 1, kept->holder + 1);
        proto_number(&sample, 2, kept->bytes);
        message_end(&bytes, 2, &sample);
    }
    places_put(&bytes);
    proto_bytes(&bytes, 6, "", 0);
    proto_bytes(&bytes, 6, "inuse_space", strlen("inuse_space"));
    proto_bytes(&bytes, 6, "bytes", strlen("bytes"));
    for (int i = 0; i < PLACES; i++) {
        proto_bytes(&bytes, 6, names[i], strlen(names[i]));
    }
    proto_number(&bytes, 12, 1);
    int error = profile_parse_heap(&profile, bytes.data, bytes.length, &failure);
    assert_int_equal(error, 0);
    buffer_release(&bytes);
    return profile;
}

/* Blames what grew between two heaps, and finds who holds it. */
static struct held held_between(const char *heap_base, const char *heap_last,
                                const struct kept *base, const struct kept *last)
{
    const struct blame_own own = {0};
    struct failure failure = {""};
    struct held held = {0};
    struct blame blame = {0};
    struct profile profiles[] = {heap_of(heap_base), heap_of(heap_last),
                                 retained_of(base), retained_of(last)};
    struct blame_question question = {
        .what = BLAME_IN_USE, .base = &profiles[0], .last = &profiles[1]};
    assert_int_equal(blame_find(&blame, &question, &failure), 0);
    struct held_places places;
    int error =
        held_places_list(&places, &blame, own, &profiles[0], &profiles[1], &failure);
    assert_int_equal(error, 0);
    error = held_find(&held, &places, &profiles[2], &profiles[3], &failure);
    assert_int_equal(error, 0);
    held_places_release(&places);
    for (size_t i = 0; i < sizeof(profiles) / sizeof(profiles[0]); i++) {
        profile_release(&profiles[i]);
    }
    return held;
}

/* `keep` has grown by 500 bytes, as both heaps below say. */
static const char heap_base[] = "heap profile: 1: 100 [1: 100] @ heapprofile\n"
                                "1: 100 [1: 100] @ 0x1010\n" KEEP MAPS;
static const char heap_last[] =
    "heap profile: 3: 700 [3: 700] @ heapprofile\n"
    "2: 600 [2: 600] @ 0x1010\n" KEEP "1: 100 [1: 100] @ 0x1020\n" OTHER MAPS;

static struct held held_of(const struct kept *base, const struct kept *last)
{
    return held_between(heap_base, heap_last, base, last);
}

#define KEPT_LIST(...) ((const struct kept[]){__VA_ARGS__, {.bytes = 0}})

/* What was there before, and what others allocated, does not count. */
static void the_holder_of_the_growth_is_found(void **state)
{
    (void)state;
    struct held held = held_of(
        KEPT_LIST({KEPT, ORDER, 5000}),
        KEPT_LIST({KEPT, SIGNATURES, 500}, {KEPT, ORDER, 5000}, {OTHERS, LOST, 9000}));
    assert_true(held.measured);
    assert_string_equal(held.holder, "global signatures (leaky/x.c:22)");
    assert_int_equal(held.bytes, 500);
    assert_int_equal(held.total, 500);
    assert_false(held_is_lost(&held));
    assert_string_equal(held_text(&held).at, "held by signatures (leaky/x.c:22)");
}

static void the_largest_of_several_has_its_share(void **state)
{
    (void)state;
    struct held held = held_of(KEPT_LIST({KEPT, ORDER, 100}),
                               KEPT_LIST({KEPT, LOST, 400}, {KEPT, ORDER, 200}));
    assert_true(held_is_lost(&held));
    assert_int_equal(held.bytes, 400);
    assert_int_equal(held.total, 500);
    assert_string_equal(held_text(&held).at, "lost: nothing points to it (80 %)");
}

/* What a holder has given back is no part of the growth. */
static void a_holder_that_shrank_does_not_count(void **state)
{
    (void)state;
    struct held held = held_of(KEPT_LIST({KEPT, SIGNATURES, 3000}),
                               KEPT_LIST({KEPT, SIGNATURES, 1000}, {KEPT, ORDER, 70}));
    assert_string_equal(held.holder, "thread \"order\": order_await_payment");
    assert_int_equal(held.total, 70);
    assert_string_equal(held_text(&held).at,
                        "held by order_await_payment in thread \"order\"");
}

/* A library allocated for the blamed line. */
static void what_it_called_counts_if_it_did_not_allocate(void **state)
{
    (void)state;
    static const char called[] = "heap profile: 2: 600 [2: 600] @ heapprofile\n"
                                 "2: 600 [2: 600] @ 0x2030 0x1010\n"
                                 "#\t0x2030\tlibx_copy+0x1\n" KEEP MAPS;
    static const char before[] = "heap profile: 0: 0 [0: 0] @ heapprofile\n" MAPS;
    struct held held = held_between(before, called, KEPT_LIST({OTHERS, LOST, 1}),
                                    KEPT_LIST({COPY, SIGNATURES, 600}));
    assert_true(held.measured);
    assert_int_equal(held.bytes, 600);
}

static void without_growth_nothing_is_said(void **state)
{
    (void)state;
    const struct kept *same = KEPT_LIST({KEPT, SIGNATURES, 500});
    struct held held = held_of(same, same);
    assert_false(held.measured);
    assert_string_equal(held.holder, "");
    assert_non_null(strstr(held.reason, "no growth"));
}

/* Any other profile of a heap ends with a function, which holds nothing. */
static void a_function_is_no_holder(void **state)
{
    (void)state;
    struct held held =
        held_of(KEPT_LIST({OTHERS, MAIN, 1}), KEPT_LIST({KEPT, MAIN, 500}));
    assert_false(held.measured);
    assert_non_null(strstr(held.reason, "no holders"));
}

/* A name or an amount from outside has no limits. */
static void what_is_hostile_is_cut(void **state)
{
    (void)state;
    memset(a_long_name, 'x', sizeof(a_long_name) - 1);
    memcpy(a_long_name, "global ", strlen("global "));
    const uint64_t most = INT64_MAX / 1024;
    struct held held =
        held_of(KEPT_LIST({KEPT, ORDER, most}), KEPT_LIST({KEPT, LONG, most}));
    assert_true(held.measured);
    assert_true(strlen(held.holder) < sizeof(held.holder));
    assert_true(held.bytes <= AMOUNT_MAX && held.total <= AMOUNT_MAX);
    assert_true(strlen(held_text(&held).at) < sizeof(struct held_text));
    a_long_name[0] = '\0';
}

static void holders_have_words(void **state)
{
    (void)state;
    static const char *const words[][2] = {
        {"global cache", "cache"},
        {"global without a name", "a global without a name"},
        {"thread-local without a name", "a thread-local without a name"},
        {"thread that has ended", "a thread that has ended"},
        {"thread-local self (x.c:3)", "thread-local self (x.c:3)"},
        {"thread \"feed\"", "thread \"feed\""},
        {"thread \"a\": b\": f", "b\": f in thread \"a\""},
        {"thread", "a thread"},
        {"library libssl.so.3", "library libssl.so.3"},
        {"library that is gone", "a library that is gone"},
        {"mapping anonymous", "an anonymous mapping"},
        {"mapping /dev/shm/x", "the mapping of /dev/shm/x"},
        {"kernel: epoll", "the kernel (epoll)"}};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        assert_string_equal(held_text_holder(words[i][0]).at, words[i][1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_holder_of_the_growth_is_found),
        cmocka_unit_test(the_largest_of_several_has_its_share),
        cmocka_unit_test(a_holder_that_shrank_does_not_count),
        cmocka_unit_test(what_it_called_counts_if_it_did_not_allocate),
        cmocka_unit_test(without_growth_nothing_is_said),
        cmocka_unit_test(a_function_is_no_holder),
        cmocka_unit_test(what_is_hostile_is_cut),
        cmocka_unit_test(holders_have_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
