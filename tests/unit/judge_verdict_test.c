/*
 * Tests of the judging: the slope over the rounds, which code is blamed for growth, how
 * the servers' replies are read, and how the answers of both halves are compared.
 */
#include "judge_heap.h"
#include "unit.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "leakcheck/judge/answers.h"
#include "leakcheck/judge/blame.h"
#include "leakcheck/judge/fit.h"
#include "leakcheck/judge/verdict.h"
#include "leakcheck/measure/replies.h"

static void steady_growth_has_its_slope(void **state)
{
    (void)state;
    const int64_t calls[] = {0, 2, 4, 6};
    const int64_t values[] = {5000, 5020, 5040, 5060};
    struct fit fit = fit_rounds(calls, values, 4);
    assert_true(fabs(fit.slope - 10) < 1e-9);
    assert_int_equal(fit.change, 60);
    assert_true(fit.grew_every_round);
}

/* A cache that fills up in the first round is not a leak; nor is a single jump. */
static void growth_that_stops_is_no_leak(void **state)
{
    (void)state;
    const int64_t calls[] = {0, 2, 4, 6};
    const int64_t filled[] = {100, 9000, 9000, 9000};
    const int64_t noise[] = {100, 110, 90, 120};
    assert_false(fit_rounds(calls, filled, 4).grew_every_round);
    assert_false(fit_rounds(calls, noise, 4).grew_every_round);
    assert_false(fit_rounds(calls, filled, 1).grew_every_round);
}

static void slope_knows_its_error(void **state)
{
    (void)state;
    const int64_t calls[] = {0, 1, 2, 3};
    const int64_t line[] = {7, 9, 11, 13};
    const int64_t noise[] = {0, 2, 0, 2};
    assert_true(fit_rounds(calls, line, 4).slope_error < 1e-9);
    /* The line 0.4 + 0.4 x leaves residuals whose squares add up to 3.2. */
    struct fit fit = fit_rounds(calls, noise, 4);
    assert_true(fabs(fit.slope - 0.4) < 1e-9);
    assert_true(fabs(fit.slope_error - sqrt(3.2 / 2 / 5)) < 1e-9);
    assert_true(isinf(fit_rounds(calls, line, 2).slope_error));
}

static void ratio_knows_zero(void **state)
{
    (void)state;
    assert_true(ratio_of(0, 0) == 1);
    assert_true(isinf(ratio_of(1, 0)));
    assert_true(ratio_of(3, 2) == 1.5);
}

#define HEADER "heap profile: 0: 0 [0: 0] @ heapprofile\n"
#define FOOTER "\nMAPPED_LIBRARIES:\n"

static struct blame blame_between(const char *base_text, const char *last_text)
{
    struct profile base = heap_of(base_text);
    struct profile last = heap_of(last_text);
    struct blame_question question = {
        .what = BLAME_IN_USE, .base = &base, .last = &last};
    struct blame blame;
    struct failure failure = {""};
    assert_int_equal(blame_find(&blame, &question, &failure), 0);
    profile_release(&base);
    profile_release(&last);
    return blame;
}

/* Blames the innermost function with a source file, not the library that it called or
 * the allocator; and what grew, not what is largest. */
static void innermost_own_function_is_blamed(void **state)
{
    (void)state;
    struct blame blame = blame_between(
        HEADER
        "1: 900000 [1: 900000] @ 0x9\n#\t0x9\tlarge_but_still\tleaky/x.c:9\n" FOOTER,
        HEADER "1: 900000 [1: 900000] @ 0x9\n#\t0x9\tlarge_but_still\tleaky/x.c:9\n"
               "1: 500 [1: 500] @ 0x1 0x2 0x3\n"
               "#\t0x1\tsqlite3_malloc\t/usr/lib/libsqlite3.so\n"
               "#\t0x2\torder_look_up+0x4\tleaky/x.c:80\n"
               "#\t0x3\trun_plan\tcommon/server/lab.c:3\n"
               "1: 100 [1: 100] @ 0x4\n#\t0x4\tother\tleaky/x.c:3\n"
               "1: 50 [1: 50] @ 0x5\n#\t0x5\telsewhere\tleaky/y.c:3\n" FOOTER);
    assert_string_equal(blame.function, "order_look_up");
    assert_string_equal(blame.file, "leaky/x.c");
    assert_int_equal(blame.line, 80);
    assert_int_equal(blame.growth, 500);
    assert_int_equal(blame.file_growth, 600);
    assert_int_equal(blame.total, 650);
}

/* Memory that the C library keeps for a thread is in the total, but not blamed. */
static void cost_of_a_thread_is_not_blamed(void **state)
{
    (void)state;
    struct blame blame = blame_between(
        HEADER FOOTER,
        HEADER "9: 3312 [9: 3312] @ 0x1 0x2 0x3\n#\t0x1\tcalloc\t/lib/libc.so.6\n"
               "#\t0x2\tpthread_create+0x1\t/lib/libc.so.6\n"
               "#\t0x3\tworkers_start\tleaky/x.c:7\n"
               "1: 400 [1: 400] @ 0x4\n#\t0x4\tjob_open\tleaky/x.c:3\n" FOOTER);
    assert_string_equal(blame.function, "job_open");
    assert_int_equal(blame.growth, 400);
    assert_int_equal(blame.total, 3712);
}

static void profiling_is_not_blamed(void **state)
{
    (void)state;
    struct blame blame = blame_between(
        HEADER FOOTER, HEADER "1: 1048576 [1: 1048576] @ 0x1 0x2\n"
                              "#\t0x1\tGetHeapProfile+0x20\t/usr/lib/libtcmalloc.so\n"
                              "#\t0x2\theap_snapshot\tprobe/heap/heap.c:1\n" FOOTER);
    assert_int_equal(blame.growth, 0);
    assert_int_equal(blame.total, 0);
}

#define GPERFTOOLS                                                                     \
    "\nMAPPED_LIBRARIES:\n1000-2000 r-xp 0 08:01 1 /bin/p\n"                           \
    "7000-8000 r-xp 0 08:01 2 /usr/lib/libtcmalloc.so.4.5.10\n"

/* With names from the program's file only the caller is known; it must not be
 * blamed. */
static void profiling_without_a_name_is_not_blamed(void **state)
{
    (void)state;
    struct blame blame =
        blame_between(HEADER FOOTER, HEADER
                      "2: 2097152 [9: 9437184] @ 0x7001 0x1001\n"
                      "#\t0x1001\ton_profile\n"
                      "1: 500 [1: 500] @ 0x1002\n#\t0x1002\tcart_new\n" GPERFTOOLS);
    assert_string_equal(blame.function, "cart_new");
    assert_int_equal(blame.total, 500);
    /* Other versions also list malloc: then a large block is normal. */
    blame = blame_between(
        HEADER FOOTER,
        HEADER "1: 1048576 [1: 1048576] @ 0x7001 0x1001\n#\t0x1001\tlarge_new\n"
               "1: 500 [1: 500] @ 0x7002 0x1002\n#\t0x1002\tcart_new\n" GPERFTOOLS);
    assert_string_equal(blame.function, "large_new");
}

/* Without source files, the mappings show which frames are in the program. */
static void program_is_told_from_libraries_by_mapping(void **state)
{
    (void)state;
    struct blame blame = blame_between(
        HEADER FOOTER,
        HEADER "1: 10 [1: 10] @ 0x2010 0x1010\n#\t0x2010\tlibrary_make\n"
               "#\t0x1010\tprogram_ask\n\nMAPPED_LIBRARIES:\n"
               "1000-2000 r-xp 0 08:01 1 /bin/p\n2000-3000 r-xp 0 08:01 2 /lib/l.so\n");
    assert_string_equal(blame.function, "program_ask");
}

static void go_library_is_not_blamed(void **state)
{
    (void)state;
    struct profile base = heap_of(HEADER FOOTER);
    struct profile last = heap_of(
        "heap profile: 1: 9 [1: 9] @ heap/2\n1: 9 [1: 9] @ 0x1 0x2\n"
        "#\t0x1\tbytes.growSlice+0x1\t/usr/lib/go-1.19/src/bytes/buffer.go:229\n"
        "#\t0x2\texample.com/shop.fill+0x2\t/home/x/shop/fill.go:8\n"
        "# runtime.MemStats\n# HeapAlloc = 1\n# TotalAlloc = 1\n");
    struct blame_question question = {
        .what = BLAME_IN_USE, .base = &base, .last = &last};
    struct blame blame;
    struct failure failure = {""};
    assert_int_equal(blame_find(&blame, &question, &failure), 0);
    assert_string_equal(blame.function, "example.com/shop.fill");
    profile_release(&base);
    profile_release(&last);
}

static void status_is_read(void **state)
{
    (void)state;
    static const char text[] =
        "{\"memory\":{\"alloc_bytes\":5,\"rss_bytes\":7,\"total_alloc_bytes\":9},"
        "\"threads\":3,\"fds\":4,\"timers\":0,\"limits\":{\"threads\":2000},"
        "\"scenarios\":{\"thread-loop\":{\"calls\":1,\"held\":2}}}";
    struct status status;
    struct failure failure = {""};
    assert_int_equal(status_parse(&status, text, strlen(text), "thread-loop", &failure),
                     0);
    assert_int_equal(status.now.amount[RESOURCE_HEAP], 5);
    assert_int_equal(status.now.amount[RESOURCE_THREADS], 3);
    assert_int_equal(status.limits.amount[RESOURCE_THREADS], 2000);
    assert_int_equal(status.limits.amount[RESOURCE_FDS], UNKNOWN);
    assert_int_equal(status.growing_held, 2);
    assert_int_equal(status_parse(&status, "{}", 2, NULL, &failure), -EPROTO);
    assert_int_equal(status_parse(&status, text, 20, NULL, &failure), -EPROTO);
    assert_int_equal(status_parse(&status, "", 0, NULL, &failure), -EPROTO);
}

#define SCENARIO(name, file)                                                           \
    "[{\"name\":\"" name "\",\"kind\":\"permanent\",\"files\":[\"" file                \
    "\",\"fixed/x.c\"],\"leaves\":{\"heap_bytes\":64},"                                \
    "\"parameters\":[{\"name\":\"bytes\",\"default\":64,\"min\":16}]}]"

static int scenarios_read(struct arena *arena, const char *text,
                          struct scenario_info **ret_list)
{
    size_t count;
    struct failure failure = {""};
    return scenarios_parse(ret_list, &count, arena, text, strlen(text), &failure);
}

/* A scenario's name becomes part of a URL, and its files are opened: a server must not
 * make leakcheck use other URLs or files. */
static void scenarios_are_not_trusted(void **state)
{
    (void)state;
    struct arena arena = {0};
    struct scenario_info *list;
    assert_int_equal(scenarios_read(&arena, SCENARIO("x-1", "leaky/x.c"), &list), 0);
    assert_string_equal(list[0].files[0], "leaky/x.c");
    assert_int_equal(list[0].bytes_default, 64);
    assert_int_equal(list[0].bytes_min, 16);
    static const char *const files[] = {
        SCENARIO("x", "../secret.c"), SCENARIO("x", "/etc/passwd"),
        SCENARIO("x", "leaky/../../secret"), SCENARIO("x", "leaky//x"),
        SCENARIO("x", ".ssh/id")};
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        assert_int_equal(scenarios_read(&arena, files[i], &list), 0);
        assert_string_equal(list[0].files[0], "");
    }
    static const char *const names[] = {SCENARIO("../x", "leaky/x.c"),
                                        SCENARIO("", "leaky/x.c"),
                                        SCENARIO("a?b", "leaky/x.c"),
                                        "[]",
                                        "{}",
                                        "[1]",
                                        "x"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        assert_int_equal(scenarios_read(&arena, names[i], &list), -EPROTO);
    }
    arena_release(&arena);
}

static void leak_reply_is_read(void **state)
{
    (void)state;
    struct resources declared;
    struct failure failure = {""};
    static const char text[] = "{\"declared\":{\"heap_bytes\":7,\"threads\":2}}";
    assert_int_equal(leak_parse(&declared, NULL, text, strlen(text), &failure), 0);
    assert_int_equal(declared.amount[RESOURCE_HEAP], 7);
    assert_int_equal(declared.amount[RESOURCE_THREADS], 2);
    assert_int_equal(declared.amount[RESOURCE_FDS], 0);
    assert_int_equal(leak_parse(&declared, NULL, "<html>", 6, &failure), -EPROTO);
    assert_int_equal(leak_parse(&declared, NULL, "{}", 2, &failure), -EPROTO);
}

/* Without `declared` the list of scenarios counts, but only if nothing else is wrong.
 */
static void list_declares_what_a_reply_does_not(void **state)
{
    (void)state;
    struct resources declared = {{0}};
    const struct resources listed = {{[RESOURCE_THREADS] = 3}};
    struct failure failure = {""};
    assert_int_equal(leak_parse(&declared, &listed, "{}", 2, &failure), 0);
    assert_int_equal(declared.amount[RESOURCE_THREADS], 3);
    static const char odd[] = "{\"declared\":7}";
    assert_int_equal(leak_parse(&declared, &listed, odd, strlen(odd), &failure),
                     -EPROTO);
    assert_int_equal(leak_parse(&declared, &listed, "[]", 2, &failure), -EPROTO);
}

/* Reads a reply to /leak. */
static int answer_read(struct answer *ret_answer, const char *text)
{
    struct failure failure = {""};
    int error = answer_parse(ret_answer, text, strlen(text), &failure);
    assert_true((error == 0) == (failure.text[0] == '\0'));
    return error;
}

static void answer_is_read(void **state)
{
    (void)state;
    struct answer answer;
    assert_int_equal(answer_read(&answer, "{\"answer\":\"5f0c, 9 bytes\"}"), 0);
    assert_int_equal(answer.kind, ANSWER_GIVEN);
    assert_string_equal(answer.text, "5f0c, 9 bytes");
    assert_int_equal(answer_read(&answer, "{\"answer\":null}"), 0);
    assert_int_equal(answer.kind, ANSWER_UNFINISHED);
    assert_string_equal(answer.text, "");
    assert_int_equal(answer_read(&answer, "{\"declared\":{}}"), 0);
    assert_int_equal(answer.kind, ANSWER_MISSING);
}

/* An answer that cannot be kept whole could look equal to another one. */
static void answer_is_not_trusted(void **state)
{
    (void)state;
    struct answer answer;
    static const char *const refused[] = {"",
                                          "[]",
                                          "null",
                                          "<html>",
                                          "{\"answer\":7}",
                                          "{\"answer\":true}",
                                          "{\"answer\":{}}",
                                          "{\"answer\":\"\"}",
                                          "{\"answer\":\"a\\u001b[2Jb\"}",
                                          "{\"answer\":\"a\\nb\"}",
                                          "{\"answer\":\"a\\u0000b\"}",
                                          "{\"answer\":\"caf\\u00e9\"}"};
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        assert_int_equal(answer_read(&answer, refused[i]), -EPROTO);
    }
    char text[ANSWER_MAX + 20];
    for (int length = ANSWER_MAX - 1; length <= ANSWER_MAX; length++) {
        snprintf(text, sizeof(text), "{\"answer\":\"%0*d\"}", length, 7);
        assert_int_equal(answer_read(&answer, text), length < ANSWER_MAX ? 0 : -EPROTO);
    }
}

/* Answers of both halves, in the order of the questions: NULL is none in the reply, ""
 * is null. The leaky half gets the first three questions alone. */
static struct answers_finding compared(const char *const leaky[3],
                                       const char *const fixed[QUESTIONS])
{
    const struct scenario_info info = {
        .bytes_default = 64, .bytes_min = 16, .bytes_max = UNKNOWN};
    struct answers halves[2] = {0};
    for (int half = 0; half < 2; half++) {
        const char *const *given = half == 0 ? leaky : fixed;
        for (int i = 0; i < (half == 0 ? QUESTION_OTHER : QUESTIONS); i++) {
            struct answer *answer = &halves[half].given[i];
            halves[half].asked[i] = true;
            answer->kind = given[i] == NULL      ? ANSWER_MISSING
                           : given[i][0] == '\0' ? ANSWER_UNFINISHED
                                                 : ANSWER_GIVEN;
            snprintf(answer->text, sizeof(answer->text), "%s",
                     given[i] == NULL ? "" : given[i]);
        }
    }
    return answers_compare(&info, &halves[0], &halves[1]);
}

#define LEAKY(...) ((const char *const[3]){__VA_ARGS__})
#define FIXED(...) ((const char *const[QUESTIONS]){__VA_ARGS__})

static void answers_are_compared(void **state)
{
    (void)state;
    struct answers_finding finding =
        compared(LEAKY("a", "b", "c"), FIXED("a", "b", "c", "d", "b"));
    assert_int_equal(finding.result, ANSWERS_EQUAL);
    assert_int_equal(finding.compared, 3);
    assert_string_equal(finding.reason, "");
    finding = compared(LEAKY("a", "b", "c"), FIXED("a", "b", "C", "d", "b"));
    assert_int_equal(finding.result, ANSWERS_WRONG);
    assert_non_null(strstr(finding.reason, "&bytes=25&count=2, leaky says 'c', fixed "
                                           "says 'C'"));
}

/* A leaky half that gets stuck leaves the fixed one alone; the other way round is
 * wrong. */
static void unfinished_answers_are_told(void **state)
{
    (void)state;
    struct answers_finding finding =
        compared(LEAKY("", "", ""), FIXED("a", "b", "c", "d", "b"));
    assert_int_equal(finding.result, ANSWERS_LEAKY_UNFINISHED);
    assert_int_equal(finding.compared, 0);
    finding = compared(LEAKY("a", "", ""), FIXED("A", "b", "c", "d", "b"));
    assert_int_equal(finding.result, ANSWERS_WRONG);
    finding = compared(LEAKY("", "", ""), FIXED("a", "", "c", "d", "b"));
    assert_int_equal(finding.result, ANSWERS_WRONG);
    assert_string_equal(finding.reason, "for id=x&bytes=16: not finished on fixed");
    finding = compared(LEAKY("a", "b", "c"), FIXED("a", "b", "c", "d", ""));
    assert_int_equal(finding.result, ANSWERS_WRONG);
}

/* The fixed half's answers are plausible by themselves: one for each request. */
static void fixed_answers_are_plausible(void **state)
{
    (void)state;
    struct answers_finding finding =
        compared(LEAKY("", "", ""), FIXED("a", "b", "c", "d", "B"));
    assert_int_equal(finding.result, ANSWERS_WRONG);
    assert_non_null(strstr(finding.reason, "fixed says 'b', and then 'B'"));
    finding = compared(LEAKY("", "", ""), FIXED("a", "b", "c", "b", "b"));
    assert_int_equal(finding.result, ANSWERS_WRONG);
    assert_non_null(strstr(finding.reason, "another id, fixed says 'b' alike"));
    finding = compared(LEAKY("", "", ""), FIXED("a", "b", "c", "a", "b"));
    assert_int_equal(finding.result, ANSWERS_WRONG);
    assert_non_null(strstr(finding.reason, "another size, fixed says 'a' alike"));
}

/* What is in no reply was not measured, and is not said to be equal. */
static void missing_answers_are_not_measured(void **state)
{
    (void)state;
    struct answers_finding finding =
        compared(LEAKY(NULL, NULL, NULL), FIXED(NULL, NULL, NULL, NULL, NULL));
    assert_int_equal(finding.result, ANSWERS_NOT_MEASURED);
    finding = compared(LEAKY("a", NULL, "c"), FIXED("a", "b", "c", "d", "b"));
    assert_int_equal(finding.result, ANSWERS_NOT_MEASURED);
    finding = compared(LEAKY(NULL, NULL, NULL), FIXED("a", "b", "c", "d", "b"));
    assert_int_equal(finding.result, ANSWERS_NOT_MEASURED);
    finding = compared(LEAKY("a", NULL, "c"), FIXED("A", "b", "c", "d", "b"));
    assert_int_equal(finding.result, ANSWERS_WRONG);
    finding = compared(LEAKY("a", "b", "c"), FIXED("a", "b", "c", NULL, "b"));
    assert_int_equal(finding.result, ANSWERS_WRONG);
    assert_non_null(strstr(finding.reason, "no answer on fixed"));
}

/* A call that still holds its descriptors is told by them, also if the resident set
 * climbs meanwhile. */
static void peak_comes_before_the_resident_set(void **state)
{
    (void)state;
    const struct scenario_info info = {
        .kind = KIND_TEMPORARY, .suspect = "", .holds.amount[RESOURCE_FDS] = 200};
    struct sample samples[3] = {0};
    for (int i = 1; i < 3; i++) {
        samples[i].calls = i;
        samples[i].peak.amount[RESOURCE_FDS] = 200;
    }
    struct trial trial = {.info = &info, .samples = samples, .sample_count = 3};
    trial.fits[RESOURCE_RSS].grew_every_round = true;
    trial.fits[RESOURCE_RSS].slope = 100000;
    struct finding finding = verdict_fixed(&trial);
    assert_false(finding.good);
    assert_int_equal(finding.over, RESOURCE_FDS);
    assert_string_equal(finding.reason, "a call's peak of descriptors is still 200");
    samples[1].peak.amount[RESOURCE_FDS] = 1;
    samples[2].peak.amount[RESOURCE_FDS] = 1;
    finding = verdict_fixed(&trial);
    assert_false(finding.good);
    assert_int_equal(finding.over, RESOURCE_RSS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steady_growth_has_its_slope),
        cmocka_unit_test(growth_that_stops_is_no_leak),
        cmocka_unit_test(slope_knows_its_error),
        cmocka_unit_test(ratio_knows_zero),
        cmocka_unit_test(innermost_own_function_is_blamed),
        cmocka_unit_test(cost_of_a_thread_is_not_blamed),
        cmocka_unit_test(profiling_is_not_blamed),
        cmocka_unit_test(profiling_without_a_name_is_not_blamed),
        cmocka_unit_test(program_is_told_from_libraries_by_mapping),
        cmocka_unit_test(go_library_is_not_blamed),
        cmocka_unit_test(status_is_read),
        cmocka_unit_test(scenarios_are_not_trusted),
        cmocka_unit_test(leak_reply_is_read),
        cmocka_unit_test(list_declares_what_a_reply_does_not),
        cmocka_unit_test(answer_is_read),
        cmocka_unit_test(answer_is_not_trusted),
        cmocka_unit_test(answers_are_compared),
        cmocka_unit_test(unfinished_answers_are_told),
        cmocka_unit_test(fixed_answers_are_plausible),
        cmocka_unit_test(missing_answers_are_not_measured),
        cmocka_unit_test(peak_comes_before_the_resident_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
