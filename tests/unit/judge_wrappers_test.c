/*
 * Tests of the blame with allocation wrappers, and with code of libraries that a
 * profile shows as part of the program.
 */
#include "judge_heap.h"
#include "unit.h"

#include "base/buffer.h"
#include "leakcheck/judge/blame.h"
#include "leakcheck/judge/library_code.h"

#define MAPS                                                                           \
    "\nMAPPED_LIBRARIES:\n1000-2000 r-xp 00000000 08:01 1 /srv/app/server\n"           \
    "8000-9000 r-xp 00000000 08:01 2 /usr/lib/libglib-2.0.so\n"

static const char *const user_names[] = {"pool_take", "arena_*"};

static bool known(const char *function)
{
    const struct wrappers wrappers = {.skip = true, .names = user_names, .count = 2};
    return wrappers_have(&wrappers, function);
}

static void wrappers_are_known_by_name(void **state)
{
    (void)state;
    static const char *const are[] = {"xmalloc",
                                      "xmalloc.part.0",
                                      "zmalloc_usable",
                                      "zrealloc_usable",
                                      "ztrycalloc",
                                      "g_malloc0",
                                      "operator new(unsigned long)",
                                      "_Znwm",
                                      "ngx_alloc",
                                      "PyMem_Malloc",
                                      "PyMem_RawCalloc",
                                      "pool_take",
                                      "arena_push",
                                      "arena_",
                                      "xmalloc@plt",
                                      "xstrdup(char const*)"};
    static const char *const are_not[] = {"",
                                          "x",
                                          "xmalloc_test",
                                          "ngx_alloc_chain_link",
                                          "pool_taken",
                                          "PyMem_Dump",
                                          "handle_login",
                                          "session_open",
                                          "g_hash_table_insert",
                                          "operator_new"};
    for (size_t i = 0; i < sizeof(are) / sizeof(are[0]); i++) {
        if (!known(are[i])) {
            fail_msg("%s is a wrapper", are[i]);
        }
    }
    for (size_t i = 0; i < sizeof(are_not) / sizeof(are_not[0]); i++) {
        if (known(are_not[i])) {
            fail_msg("%s is no wrapper", are_not[i]);
        }
    }
    assert_false(wrappers_have(&(struct wrappers){0}, "xmalloc"));
}

/* The function blamed for the only stack of a heap profile. */
static const char *blamed(const char *stack, struct blame_own own)
{
    static struct blame blame;
    struct failure failure = {""};
    struct profile base = {0};
    struct buffer text = {0};
    buffer_text(&text, "heap profile: 1: 90 [2: 100] @ heapprofile\n"
                       "1: 90 [1: 90] @ 0x1100 0x1200 0x1300\n");
    buffer_text(&text, stack);
    buffer_text(&text, MAPS);
    struct profile last = heap_of(text.data);
    const struct blame_question question = {
        .what = BLAME_IN_USE, .own = own, .base = &base, .last = &last};
    assert_int_equal(blame_find(&blame, &question, &failure), 0);
    profile_release(&last);
    buffer_release(&text);
    return blame.function;
}

static const struct blame_own skipping = {.wrappers = {.skip = true}};

#define TWO_WRAPPERS                                                                   \
    "#\t0x1100\txmalloc+0x1\t/srv/app/util.c:4\n"                                      \
    "#\t0x1200\tzmalloc+0x1\t/srv/app/util.c:9\n"

static void a_wrapper_takes_no_blame(void **state)
{
    (void)state;
    const char *stack = TWO_WRAPPERS "#\t0x1300\tsession_open\t/srv/app/session.c:20\n";
    assert_string_equal(blamed(stack, skipping), "session_open");
    /* The lab's pairs are judged without: there it is the innermost function. */
    assert_string_equal(blamed(stack, (struct blame_own){0}), "xmalloc");
}

static void of_wrappers_alone_the_innermost_is_blamed(void **state)
{
    (void)state;
    assert_string_equal(blamed(TWO_WRAPPERS, skipping), "xmalloc");
    const char *stack = TWO_WRAPPERS "#\t0x8300\tlibrary_call\t/src/glib/a.c:2\n";
    assert_string_equal(blamed(stack, skipping), "xmalloc");
}

/* A wrapper in --own PATH: the next function of that path; without one, the wrapper. */
static void own_code_is_asked_first(void **state)
{
    (void)state;
    static const char *const paths[] = {"/srv/app/util.c"};
    struct blame_own own = {.paths = paths, .count = 1, .wrappers = {.skip = true}};
    const char *stack = TWO_WRAPPERS "#\t0x1300\tsession_open\t/srv/app/session.c:20\n";
    assert_string_equal(blamed(stack, own), "xmalloc");
    const char *inside = TWO_WRAPPERS "#\t0x1300\tnames_keep\t/srv/app/util.c:40\n";
    assert_string_equal(blamed(inside, own), "names_keep");
}

static void users_names_count(void **state)
{
    (void)state;
    struct blame_own own = {.wrappers = {true, user_names, 2}};
    const char *stack = "#\t0x1100\tarena_push\t/srv/app/arena.c:4\n"
                        "#\t0x1200\tpool_take\t/srv/app/pool.c:9\n"
                        "#\t0x1300\tsession_open\t/srv/app/session.c:20\n";
    assert_string_equal(blamed(stack, own), "session_open");
    assert_string_equal(blamed(stack, skipping), "arena_push");
}

static void libraries_are_known_by_file_or_function(void **state)
{
    (void)state;
    static const struct frame are[] = {
        {.function = "std::vector<int>::push_back(int)"},
        {.function = "alloc::vec::Vec<T>::push"},
        {.function = "java.util.ArrayList.add", .file = "ArrayList.java"},
        {.function = "emit", .file = "node:events"},
        {.function = "parse", .file = "/srv/app/node_modules/x/index.js"},
        {.function = "new", .file = "/rustc/1234/library/alloc/src/vec.rs"},
        {.function = "get", .file = "/root/.cargo/registry/src/x-1.0/src/lib.rs"},
        {.function = "net/http.(*conn).serve",
         .file = "/usr/go/src/net/http/server.go"}};
    static const struct frame are_not[] = {
        {.function = "standard_open", .file = "/srv/app/standard.c"},
        {.function = "com.shop.Cart.add", .file = "Cart.java"},
        {.function = "keep", .file = "/srv/app/server.js"},
        {.function = "shop::cart::add", .file = "/srv/shop/src/cart.rs"},
        {.function = "main.keep", .file = "/srv/shop/main.go"}};
    for (size_t i = 0; i < sizeof(are) / sizeof(are[0]); i++) {
        assert_true(code_is_library(&are[i]));
    }
    for (size_t i = 0; i < sizeof(are_not) / sizeof(are_not[0]); i++) {
        assert_false(code_is_library(&are_not[i]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrappers_are_known_by_name),
        cmocka_unit_test(a_wrapper_takes_no_blame),
        cmocka_unit_test(of_wrappers_alone_the_innermost_is_blamed),
        cmocka_unit_test(own_code_is_asked_first),
        cmocka_unit_test(users_names_count),
        cmocka_unit_test(libraries_are_known_by_file_or_function),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
