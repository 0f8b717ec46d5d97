/*
 * Tests of the HTML report, from made-up figures: amounts that shrink, hostile texts,
 * and one scale for two heaps.
 */
#include "judge_heap.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "leakcheck/report/html.h"
#include "leakcheck/report/report.h"
#include "leakcheck/report/text.h"

static void bytes_have_three_digits_at_most(void **state)
{
    (void)state;
    static const struct {
        double bytes;
        const char *text;
    } cases[] = {{0, "0 B"},
                 {-0.4, "0 B"},
                 {1023, "1023 B"},
                 {1023.7, "1.0 KiB"},
                 {1536, "1.5 KiB"},
                 {-3072, "-3.0 KiB"},
                 {999.9 * 1024, "999.9 KiB"},
                 {1000.0 * 1024, "0.98 MiB"},
                 {1023.99 * 1024, "1.0 MiB"},
                 {-1000.0 * 1024, "-0.98 MiB"},
                 {1000.0 * 1024 * 1024, "0.98 GiB"},
                 {5000.0 * 1024 * 1024 * 1024 * 1024, "5000.0 TiB"}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_string_equal(text_bytes(cases[i].bytes).at, cases[i].text);
    }
}

static void assert_growth(enum kind kind, enum resource resource, double amount,
                          const char *expected)
{
    struct buffer page = {0};
    struct scenario_info info = {.kind = kind};
    struct pair pair = {.info = &info};
    html_growth(&page, &pair, resource, amount, true);
    assert_string_equal(page.data, expected);
    buffer_release(&page);
}

static void shrinkage_is_no_growth(void **state)
{
    (void)state;
    assert_growth(KIND_PERMANENT, RESOURCE_HEAP, -157286.4,
                  "0 B <small>(shrank by 153.6 KiB)</small>");
    assert_growth(KIND_PERMANENT, RESOURCE_THREADS, -0.5,
                  "0 threads <small>(shrank by 0.50)</small>");
    assert_growth(KIND_PERMANENT, RESOURCE_HEAP, -0.3, "0 B");
    assert_growth(KIND_PERMANENT, RESOURCE_TIMERS, 1, "1 timer");
    assert_growth(KIND_PERMANENT, RESOURCE_FDS, 200, "200 descriptors");
    assert_growth(KIND_TEMPORARY, RESOURCE_FDS, UNKNOWN, "not measured");
}

/* Three scenarios. The first and the last have the same family. */
#define COUNT 3

struct lab {
    struct scenario_info list[COUNT];
    struct sample samples[2];
    struct trial trials[2][COUNT];
    struct finding findings[2][COUNT];
    struct answers answers[2][COUNT];
    bool chosen[COUNT];
    struct judgement judgement;
};

#define HOSTILE "<script>alert('1&2')</script>"

/* Results in which one call adds `leaky` or `fixed` bytes. */
static struct lab *lab_make(double leaky, double fixed)
{
    static const char *const names[COUNT] = {"apple", "beech", "aspen"};
    static const char *const families[COUNT] = {"a-trees", "b-trees", "a-trees"};
    struct lab *lab = calloc(1, sizeof(*lab));
    assert_non_null(lab);
    lab->judgement.order.urls[0] = "http://127.0.0.1:1/" HOSTILE;
    lab->judgement.order.urls[1] = "http://127.0.0.1:2/";
    for (size_t i = 0; i < COUNT; i++) {
        lab->chosen[i] = true;
        lab->list[i] = (struct scenario_info){.name = names[i],
                                              .family = families[i],
                                              .title = HOSTILE,
                                              .story = HOSTILE,
                                              .cause = HOSTILE,
                                              .fix = HOSTILE,
                                              .suspect = HOSTILE,
                                              .files = {"leaky/x.c", "fixed/x.c"}};
        for (size_t role = 0; role < 2; role++) {
            struct answers *answers = &lab->answers[role][i];
            answers->asked[QUESTION_PLAIN] = true;
            answers->given[QUESTION_PLAIN].kind = ANSWER_GIVEN;
            snprintf(answers->given[QUESTION_PLAIN].text,
                     sizeof(answers->given[QUESTION_PLAIN].text), "%s %zu", HOSTILE,
                     role);
            struct trial *trial = &lab->trials[role][i];
            *trial = (struct trial){
                .info = &lab->list[i], .samples = lab->samples, .sample_count = 2};
            trial->fits[RESOURCE_HEAP].slope = role == ROLE_LEAKY ? leaky : fixed;
            trial->heap = (struct blame){
                .function = HOSTILE, .file = HOSTILE, .growth = 1, .total = 1};
            snprintf(lab->findings[role][i].reason,
                     sizeof(lab->findings[role][i].reason), "%s", HOSTILE);
        }
    }
    for (int role = ROLE_LEAKY; role <= ROLE_FIXED; role++) {
        struct side *side = &lab->judgement.sides[role];
        side->role = (enum role)role;
        side->list = lab->list;
        side->count = COUNT;
        side->chosen = lab->chosen;
        side->trials = lab->trials[role];
        side->findings = lab->findings[role];
        side->answers = lab->answers[role];
    }
    return lab;
}

/* The text of the report, which the caller frees. */
static char *report_of(const struct lab *lab)
{
    char path[] = "/tmp/judge_page_test.XXXXXX";
    struct failure failure = {""};
    size_t room = 1024 * 1024;
    char *text = calloc(1, room);
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_non_null(text);
    assert_int_equal(report_html(path, "/nowhere", &lab->judgement, &failure), 0);
    close(fd);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    size_t length = fread(text, 1, room - 1, file);
    assert_true(length < room - 1);
    fclose(file);
    unlink(path);
    return text;
}

static size_t times(const char *text, const char *part)
{
    size_t count = 0;
    for (text = strstr(text, part); text != NULL; text = strstr(text + 1, part)) {
        count++;
    }
    return count;
}

static void families_stay_together(void **state)
{
    (void)state;
    struct lab *lab = lab_make(1024, 0);
    char *page = report_of(lab);
    assert_int_equal(times(page, "<section class=\"family\""), 2);
    const char *first = strstr(page, "<article id=\"apple\"");
    const char *second = strstr(page, "<article id=\"aspen\"");
    const char *third = strstr(page, "<article id=\"beech\"");
    assert_true(first != NULL && first < second && second < third);
    assert_non_null(strstr(page, ">A trees</h2>"));
    free(page);
    free(lab);
}

static void negative_growth_is_not_printed(void **state)
{
    (void)state;
    struct lab *lab = lab_make(1024, -157286.4);
    char *page = report_of(lab);
    assert_int_equal(times(page, "-153.6"), 0);
    /* In the overview, and in each section. */
    assert_int_equal(times(page, "0 B <small>(shrank by 153.6 KiB)"), 2 * COUNT);
    free(page);
    free(lab);
}

static void hostile_text_is_escaped(void **state)
{
    (void)state;
    struct lab *lab = lab_make(1024, 0);
    char *page = report_of(lab);
    assert_null(strstr(page, "<script>alert"));
    assert_non_null(strstr(page, "&lt;script&gt;alert(&#39;1&amp;2&#39;)"));
    free(page);
    free(lab);
}

/* A reason with the function's name is hidden, because readers may still want to
 * guess. */
static void reason_keeps_the_function_to_itself(void **state)
{
    (void)state;
    struct lab *lab = lab_make(1024, 0);
    for (size_t i = 0; i < COUNT; i++) {
        lab->list[i].suspect = "seed_sow";
        strcpy(lab->findings[ROLE_LEAKY][i].reason, "it blames nobody, not seed_sow");
    }
    char *page = report_of(lab);
    const char *problem = strstr(page, "<p class=\"problem\">The leak is not shown");
    assert_non_null(problem);
    const char *fold = strstr(problem, "<details");
    const char *name = strstr(problem, "seed_sow");
    assert_true(fold != NULL && name != NULL && fold < name);
    free(page);
    free(lab);
}

#define HEADER "heap profile: 0: 0 [0: 0] @ heapprofile\n"
#define STACK(bytes, address, name)                                                    \
    "1: " bytes " [1: " bytes "] @ 0x" address "\n#\t0x" address "\t" name             \
    "+0x0\t/x/" name ".c:7\n"
#define FOOTER "\nMAPPED_LIBRARIES:\n"

/* The value after `name` in the box of a function, in the `nth` icicle. */
static double box_figure(const char *page, int nth, const char *function,
                         const char *name)
{
    char wanted[100];
    const char *icicle = strstr(page, "<div class=\"icicle\"");
    for (int i = 0; i < nth && icicle != NULL; i++) {
        icicle = strstr(icicle + 1, "<div class=\"icicle\"");
    }
    assert_non_null(icicle);
    snprintf(wanted, sizeof(wanted), "data-name=\"%s\" title", function);
    const char *box = strstr(icicle, wanted);
    assert_non_null(box);
    while (strncmp(box, "<a ", 3) != 0) {
        box--;
    }
    const char *value = strstr(box, name);
    assert_non_null(value);
    return strtod(value + strlen(name), NULL);
}

static void same_bytes_are_as_wide_in_both_icicles(void **state)
{
    (void)state;
    struct lab *lab = lab_make(1024, 0);
    struct html_boxes boxes[COUNT] = {0};
    struct buffer page = {0};
    struct profile leaky = heap_of(HEADER STACK("6000", "10", "kept")
                                       STACK("2000", "20", "shared") FOOTER);
    struct profile fixed = heap_of(HEADER STACK("1000", "10", "kept")
                                       STACK("2000", "20", "shared") FOOTER);
    lab->judgement.sides[ROLE_LEAKY].heap = leaky;
    lab->judgement.sides[ROLE_FIXED].heap = fixed;
    html_icicles(&page, &lab->judgement, boxes);
    assert_true(box_figure(page.data, 0, "shared", "--w:") == 25);
    assert_true(box_figure(page.data, 1, "shared", "--w:") == 25);
    assert_true(box_figure(page.data, 0, "kept", "--w:") == 75);
    assert_true(box_figure(page.data, 1, "kept", "--w:") == 12.5);
    /* Side by side, the largest first. */
    assert_true(box_figure(page.data, 0, "shared", "--l:") == 75);
    assert_true(box_figure(page.data, 1, "shared", "--l:") == 0);
    assert_non_null(strstr(page.data, "<strong id=\"_scale\">7.8 KiB</strong>"));
    buffer_release(&page);
    profile_release(&leaky);
    profile_release(&fixed);
    free(lab);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_have_three_digits_at_most),
        cmocka_unit_test(shrinkage_is_no_growth),
        cmocka_unit_test(families_stay_together),
        cmocka_unit_test(negative_growth_is_not_printed),
        cmocka_unit_test(hostile_text_is_escaped),
        cmocka_unit_test(reason_keeps_the_function_to_itself),
        cmocka_unit_test(same_bytes_are_as_wide_in_both_icicles),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
