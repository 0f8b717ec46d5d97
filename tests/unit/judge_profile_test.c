/*
 * Tests of leakcheck's parsers of profiles: what they read, how samples are scaled, and
 * which texts they refuse.
 */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/amount.h"
#include "leakcheck/measure/profile.h"
#include "leakcheck/measure/profile_parse.h"
#include "leakcheck/measure/replies.h"

static const char exact[] =
    "heap profile:      3:      300 [     9:      900] @ heapprofile\n"
    "     2:      200 [     5:      500] @ 0x1010 0x2020\n"
    "#\t0x1010\tpayload_read+0x1d\tleaky/slice_prefix.c:30\n"
    "#\t0x2020\tlibx.so+0x18550+0x362\t/usr/lib/libx.so\n"
    "     1:      100 [     4:      400] @ 0x1010\n"
    "#\t0x1010\tlonely\n"
    "\n"
    "MAPPED_LIBRARIES:\n"
    "00001000-00002000 r-xp 00000000 08:01 1  /usr/bin/server\n"
    "00002000-00003000 r-xp 00000000 08:01 2  /usr/lib/libx.so\n";

static const char go_heap[] =
    "heap profile: 1: 1024 [2: 2048] @ heap/1048576\n"
    "1: 1024 [2: 2048] @ 0x4a 0x5b\n"
    "#\t0x49\tmain.keep+0x12\t\t/src/my server/main.go:12\n"
    "#\t0x5a\tnet/http.(*conn).serve+0x1\t/usr/lib/go-1.19/src/net/http/server.go:19\n"
    "\n"
    "# runtime.MemStats\n"
    "# TotalAlloc = 777\n"
    "# HeapAlloc = 555\n"
    "# DebugGC = false\n";

static int heap_read(struct profile *profile, const char *text)
{
    struct failure failure = {""};
    int result = profile_parse_heap(profile, text, strlen(text), &failure);
    assert_true((result < 0) == (failure.text[0] != '\0'));
    return result;
}

static void exact_profile_is_read(void **state)
{
    (void)state;
    struct profile profile;
    assert_int_equal(heap_read(&profile, exact), 0);
    assert_int_equal(profile.format, PROFILE_EXACT);
    assert_int_equal(profile.totals.inuse_bytes, 300);
    assert_int_equal(profile.totals.alloc_objects, 9);
    assert_int_equal(profile.count, 2);
    const uint64_t stack[] = {0x1010, 0x2020};
    const struct record *record = profile_find(&profile, stack, 2);
    assert_non_null(record);
    assert_int_equal(record->amounts.inuse_bytes, 200);
    assert_int_equal(record->frame_count, 2);
    assert_string_equal(record->frames[0].function, "payload_read");
    assert_string_equal(record->frames[0].file, "leaky/slice_prefix.c");
    assert_int_equal(record->frames[0].line, 30);
    assert_string_equal(record->frames[1].function, "libx.so+0x18550");
    assert_null(record->frames[1].file);
    record = profile_find(&profile, stack, 1);
    assert_string_equal(record->frames[0].function, "lonely");
    assert_true(profile_in_program(&profile, 0x1010));
    assert_false(profile_in_program(&profile, 0x2020));
    profile_release(&profile);
}

static void go_profile_is_scaled(void **state)
{
    (void)state;
    struct profile profile;
    assert_int_equal(heap_read(&profile, go_heap), 0);
    assert_int_equal(profile.format, PROFILE_GO_HEAP);
    /* The totals are exact: they come from MemStats. */
    assert_int_equal(profile.totals.inuse_bytes, 555);
    assert_int_equal(profile.totals.alloc_bytes, 777);
    /* One sample of 1 KiB at one in 512 KiB: 1024 / (1 - exp(-1024 / 524288)). */
    assert_int_equal(profile.records[0].amounts.inuse_bytes, 524800);
    assert_string_equal(profile.records[0].frames[0].function, "main.keep");
    assert_string_equal(profile.records[0].frames[0].file, "/src/my server/main.go");
    assert_int_equal(profile.records[0].frames[0].line, 12);
    profile_release(&profile);
}

static void equal_stacks_are_joined(void **state)
{
    (void)state;
    struct profile profile;
    assert_int_equal(heap_read(&profile, "heap profile: 2: 30 [2: 30] @ heapprofile\n"
                                         "1: 10 [1: 10] @ 0xa 0xb\n"
                                         "1: 5 [1: 5] @ 0xa\n"
                                         "1: 20 [1: 20] @ 0xa 0xb\n"
                                         "\nMAPPED_LIBRARIES:\n"),
                     0);
    assert_int_equal(profile.count, 2);
    assert_int_equal(profile.records[1].amounts.inuse_bytes, 30);
    profile_release(&profile);
}

/* A profile that is cut anywhere before its last part is refused. */
static void cut_short_is_refused(void **state)
{
    (void)state;
    struct profile profile;
    struct failure failure = {""};
    size_t whole = (size_t)(strstr(exact, "MAPPED") - exact);
    for (size_t length = 0; length < whole; length++) {
        assert_true(profile_parse_heap(&profile, exact, length, &failure) < 0);
    }
    whole = (size_t)(strstr(go_heap, "# HeapAlloc") - go_heap);
    for (size_t length = 0; length < whole; length++) {
        assert_true(profile_parse_heap(&profile, go_heap, length, &failure) < 0);
    }
}

static void nonsense_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "<!DOCTYPE html><html>no such page</html>\n",
        "heap profile: 1: 2 [3: 4] @ growthz\nMAPPED_LIBRARIES:\n",
        "heap profile: 1: 99999999999999999999 [3: 4] @ "
        "heapprofile\nMAPPED_LIBRARIES:\n",
        "heap profile: 1: 2 [3: 4] @ heapprofile\n1: 2 [3: 4] @ 0xzz\n1: 2 [3: 4] @ "
        "0x1\n"
        "1: 2 [3: 4] @ 0x1 0x2 0x3 0x4 0x5 0x6 0x7 0x8\n\nMAPPED_LIBRARIES:\n",
        "heap profile: 1: 2 [3: 4] @ heapprofile\n-1: 2 [3: 4] @ 0x1\n"
        "1: 2 [3: 4] @ 0x1 0x2 0x3 0x4 0x5 0x6 0x7 0x8 0x9 0xa\n\nMAPPED_LIBRARIES:\n",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct profile profile;
        assert_int_equal(heap_read(&profile, texts[i]), -EPROTO);
    }
}

/* Names are printed on terminals: they must not contain terminal commands. */
static void names_are_made_printable(void **state)
{
    (void)state;
    struct profile profile;
    assert_int_equal(heap_read(&profile, "heap profile: 1: 10 [1: 10] @ heapprofile\n"
                                         "1: 10 [1: 10] @ 0xa\n"
                                         "#\t0xa\tevil\033[2J\tx\a.c:1\n"
                                         "\nMAPPED_LIBRARIES:\n"),
                     0);
    assert_string_equal(profile.records[0].frames[0].function, "evil?[2J");
    assert_string_equal(profile.records[0].frames[0].file, "x?.c");
    profile_release(&profile);
}

static void threads_are_read(void **state)
{
    (void)state;
    struct profile profile;
    struct failure failure = {""};
    static const char text[] = "goroutine profile: total 3\n"
                               "2 @ 0x1 0x2\n"
                               "# labels: {\"a\":\"b\"}\n"
                               "#\t0x1\tmain.wait+0x1\t/m.go:7\n"
                               "\n1 @ 0x3\n\n";
    assert_int_equal(profile_parse_threads(&profile, text, strlen(text), &failure), 0);
    assert_int_equal(profile.totals.inuse_objects, 3);
    assert_int_equal(profile.records[0].amounts.inuse_objects, 2);
    assert_string_equal(profile.records[0].frames[0].function, "main.wait");
    profile_release(&profile);
    size_t part = (size_t)(strstr(text, "\n1 @") - text);
    assert_int_equal(profile_parse_threads(&profile, text, part, &failure), -EPROTO);
    assert_non_null(strstr(failure.text, "lists 2 of 3"));
    /* Threads that did not answer in time are missing; such a profile is not cut. */
    static const char busy[] = "threads profile: total 3\n2 @ 0x1 0x2\n\n"
                               "--- Memory map: ---\n1-2 r-xp 0 08:01 1 /bin/p\n";
    assert_int_equal(profile_parse_threads(&profile, busy, strlen(busy), &failure), 0);
    assert_int_equal(profile.count, 1);
    profile_release(&profile);
}

static void amounts_stop_at_the_limit(void **state)
{
    (void)state;
    assert_true(amount_add(2, 3) == 5);
    assert_true(amount_add(INT64_MAX, INT64_MAX) == AMOUNT_MAX);
    assert_true(amount_add(INT64_MIN, INT64_MIN) == -AMOUNT_MAX);
    assert_true(amount_add(INT64_MAX, INT64_MIN) == 0);
    assert_true(amount_subtract(2, 3) == -1);
    assert_true(amount_subtract(INT64_MIN, INT64_MAX) == -AMOUNT_MAX);
    assert_true(amount_multiply(-7, 6) == -42);
    assert_true(amount_multiply(INT64_MAX, 2) == AMOUNT_MAX);
    assert_true(amount_multiply(INT64_MIN, -1) == AMOUNT_MAX);
    assert_true(amount_multiply(INT64_MIN, 3) == -AMOUNT_MAX);
    assert_true(amount_multiply(AMOUNT_MAX, 3) == AMOUNT_MAX);
}

/* A profile with `count` stacks of one address each; the caller frees it. */
static char *stacks_write(const char *header, size_t count, const char *amounts,
                          const char *end)
{
    size_t room = strlen(header) + strlen(end) + count * (strlen(amounts) + 32) + 1;
    char *text = malloc(room);
    assert_non_null(text);
    size_t length = (size_t)snprintf(text, room, "%s", header);
    for (size_t i = 0; i < count; i++) {
        length += (size_t)snprintf(text + length, room - length, "%s @ 0x%zx\n",
                                   amounts, i * 16 + 16);
    }
    snprintf(text + length, room - length, "%s", end);
    return text;
}

/* gperftools writes at most 1 MiB, and may stop in the middle of its last stack. In a
 * shorter text such a line is an error. */
static void list_that_gperftools_cut_is_read(void **state)
{
    (void)state;
    static const char header[] = "heap profile: 2: 30 [2: 30] @ heapprofile\n";
    static const char end[] = "1: 2\n\nMAPPED_LIBRARIES:\n";
    struct profile profile;
    char *text = stacks_write(header, 40000, "1: 10 [1: 10]", end);
    assert_int_equal(heap_read(&profile, text), 0);
    assert_int_equal(profile.count, 40000);
    assert_int_equal(profile.totals.inuse_bytes, 30);
    profile_release(&profile);
    free(text);
    text = stacks_write(header, 20000, "1: 10 [1: 10]", end);
    assert_int_equal(heap_read(&profile, text), -EPROTO);
    free(text);
}

static void too_many_stacks_are_refused(void **state)
{
    (void)state;
    static const char header[] = "heap profile: 1: 10 [1: 10] @ heapprofile\n";
    static const char threads[] = "threads profile: total 1\n";
    static const char end[] = "\nMAPPED_LIBRARIES:\n";
    struct profile profile;
    struct failure failure = {""};
    char *text = stacks_write(header, PROFILE_RECORDS_MAX, "1: 10 [1: 10]", end);
    assert_int_equal(heap_read(&profile, text), 0);
    assert_int_equal(profile.count, PROFILE_RECORDS_MAX);
    profile_release(&profile);
    free(text);
    text = stacks_write(header, PROFILE_RECORDS_MAX + 1, "1: 10 [1: 10]", end);
    assert_int_equal(profile_parse_heap(&profile, text, strlen(text), &failure),
                     -EPROTO);
    assert_non_null(strstr(failure.text, "over 100000 stacks"));
    free(text);
    text = stacks_write(threads, PROFILE_RECORDS_MAX + 1, "1", end);
    assert_int_equal(profile_parse_threads(&profile, text, strlen(text), &failure),
                     -EPROTO);
    assert_non_null(strstr(failure.text, "over 100000 stacks"));
    free(text);
}

/* An amount at the limit cannot grow any more, so a leak would not show. */
static void overflowing_sums_are_refused(void **state)
{
    (void)state;
    static const char sampled[] =
        "heap profile: 5: 5 [5: 5] @ heap_v2/1000000000000000\n";
    static const char exact_header[] = "heap profile: 5: 5 [5: 5] @ heapprofile\n";
    static const char threads[] = "threads profile: total 5\n";
    static const char end[] = "\nMAPPED_LIBRARIES:\n";
    static const char huge[] =
        "9000000000000000: 9000000000000000 [9000000000000000: 9000000000000000]";
    struct profile profile;
    struct failure failure = {""};
    char *text = stacks_write(sampled, 5, huge, end);
    assert_int_equal(profile_parse_heap(&profile, text, strlen(text), &failure),
                     -EPROTO);
    assert_non_null(strstr(failure.text, "too large to be true"));
    free(text);
    text = stacks_write(exact_header, 2000, huge, end);
    assert_int_equal(heap_read(&profile, text), -EPROTO);
    free(text);
    text = stacks_write(threads, 2000, "9000000000000000", end);
    assert_int_equal(profile_parse_threads(&profile, text, strlen(text), &failure),
                     -EPROTO);
    assert_non_null(strstr(failure.text, "too large to be true"));
    free(text);
}

/* Five samples of small blocks stand for 2.5 MiB, even next to one sample of 100 MiB,
 * which stands for itself. gperftools' header adds them up unscaled. */
static void samples_are_scaled_by_their_own_size(void **state)
{
    (void)state;
    struct profile profile;
    assert_int_equal(heap_read(&profile,
                               "heap profile: 6: 104858100 [6: 104858100] @ "
                               "heap_v2/524288\n"
                               "1: 104857600 [1: 104857600] @ 0x1\n"
                               "5: 500 [5: 500] @ 0x2\n\nMAPPED_LIBRARIES:\n"),
                     0);
    assert_int_equal(profile.period, 524288);
    assert_in_range(profile.totals.inuse_bytes, 104857600 + 5 * 524288,
                    104857600 + 5 * 524400);
    profile_release(&profile);
}

static void odd_periods_are_refused(void **state)
{
    (void)state;
    struct profile profile;
    struct failure failure = {""};
    static const char exponent[] =
        "heap profile: 1: 10 [1: 10] @ heap_v2/1e15\n\nMAPPED_LIBRARIES:\n";
    assert_int_equal(profile_parse_heap(&profile, exponent, strlen(exponent), &failure),
                     -EPROTO);
    assert_non_null(strstr(failure.text, "first line"));
    assert_non_null(strstr(failure.text, "heap_v2/1e15"));
    static const char none[] =
        "heap profile: 0: 0 [0: 0] @ heap_v2/0\n\nMAPPED_LIBRARIES:\n";
    assert_int_equal(profile_parse_heap(&profile, none, strlen(none), &failure),
                     -EPROTO);
    assert_non_null(strstr(failure.text, "samples nothing"));
    /* One byte sampled at one in 9e15: large, but a number. */
    assert_int_equal(heap_read(&profile, "heap profile: 1: 1 [1: 1] @ "
                                         "heap_v2/9000000000000000\n"
                                         "1: 1 [1: 1] @ 0x1\n\nMAPPED_LIBRARIES:\n"),
                     0);
    assert_in_range(profile.records[0].amounts.inuse_bytes, 8999999999999000,
                    9000000000001000);
    profile_release(&profile);
}

static void mappings_are_read(void **state)
{
    (void)state;
    struct profile profile;
    assert_int_equal(heap_read(&profile,
                               "heap profile: 0: 0 [0: 0] @ heapprofile\n"
                               "\nMAPPED_LIBRARIES:\n"
                               "1000-2000 r--p 00000000 08:01 1   /bin/my server\n"
                               "2000-3000 r-xp 00001000 08:01 1   /bin/my server\n"
                               "7000-7000 r-xp 00000000 08:01 1   /bin/empty\n"
                               "1800-2800 r-xp 00000000 08:01 1   /bin/overlaps\n"
                               "3000-4000 rw-p 00000000 00:00 0   [heap]\n"
                               "8000-9000 r-xp 00005000 08:01 2   /lib/x.so\n"),
                     0);
    assert_int_equal(profile.mapping_count, 3);
    assert_int_equal(profile.mappings[1].offset, 0x1000);
    assert_string_equal(profile.mappings[1].path, "/bin/my server");
    assert_ptr_equal(profile_mapping(&profile, 0x2fff), &profile.mappings[1]);
    assert_null(profile_mapping(&profile, 0x3000));
    assert_null(profile_mapping(&profile, 0xfff));
    assert_ptr_equal(profile_mapping(&profile, 0x8000), &profile.mappings[2]);
    assert_true(profile_in_program(&profile, 0x2000));
    assert_false(profile_in_program(&profile, 0x8000));
    profile_release(&profile);
}

/* A reply that is too long is refused before it is parsed, well-formed or not. */
static void long_json_is_refused(void **state)
{
    (void)state;
    static const char start[] = "{\"memory\":{},\"threads\":1,\"declared\":{}";
    struct status status;
    struct resources declared;
    struct failure failure = {""};
    size_t length = REPLY_JSON_MAX + 1;
    char *text = malloc(length);
    assert_non_null(text);
    memset(text, ' ', length);
    memcpy(text, start, strlen(start));
    text[length - 2] = '}';
    assert_int_equal(status_parse(&status, text, length - 1, NULL, &failure), 0);
    assert_int_equal(leak_parse(&declared, NULL, text, length - 1, &failure), 0);
    assert_int_equal(status_parse(&status, text, length, NULL, &failure), -EPROTO);
    assert_non_null(strstr(failure.text, "/status is larger than 1 MiB"));
    assert_int_equal(leak_parse(&declared, NULL, text, length, &failure), -EPROTO);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exact_profile_is_read),
        cmocka_unit_test(go_profile_is_scaled),
        cmocka_unit_test(equal_stacks_are_joined),
        cmocka_unit_test(list_that_gperftools_cut_is_read),
        cmocka_unit_test(cut_short_is_refused),
        cmocka_unit_test(nonsense_is_refused),
        cmocka_unit_test(names_are_made_printable),
        cmocka_unit_test(threads_are_read),
        cmocka_unit_test(amounts_stop_at_the_limit),
        cmocka_unit_test(too_many_stacks_are_refused),
        cmocka_unit_test(overflowing_sums_are_refused),
        cmocka_unit_test(samples_are_scaled_by_their_own_size),
        cmocka_unit_test(odd_periods_are_refused),
        cmocka_unit_test(mappings_are_read),
        cmocka_unit_test(long_json_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
