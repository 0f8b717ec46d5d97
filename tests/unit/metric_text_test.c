/*
 * Tests of the metrics' text: its lines, labels with any bytes, whole and broken
 * numbers.
 */
#include "probe/metrics/metric_text.h"

#include <stdio.h>
#include <string.h>

#include "unit.h"

static const struct metric calls = {"calls_total", "counter", "Calls."};

static void a_metric_has_help_type_and_value(void **state)
{
    (void)state;
    struct buffer text = {0};
    probe_metric_number(&text, &calls, UINT64_MAX);
    assert_string_equal(text.data, "# HELP calls_total Calls.\n"
                                   "# TYPE calls_total counter\n"
                                   "calls_total 18446744073709551615\n");
    buffer_release(&text);
}

static void samples_have_their_labels(void **state)
{
    (void)state;
    struct metric_label labels[] = {{"name", "a"}, {"version", ""}};
    struct buffer text = {0};
    probe_metric_begin(&text, &calls);
    probe_metric_sample(&text, &calls, labels, 1, 0);
    probe_metric_sample(&text, &calls, labels, 2, 7);
    assert_non_null(strstr(text.data, "counter\n"
                                      "calls_total{name=\"a\"} 0\n"
                                      "calls_total{name=\"a\",version=\"\"} 7\n"));
    buffer_release(&text);
}

static void a_label_cannot_end_its_line(void **state)
{
    (void)state;
    static const struct {
        const char *value;
        const char *written;
    } cases[] = {
        {"\"} 1\nother 2", "\\\"} 1\\nother 2"},
        {"back\\slash", "back\\\\slash"},
        {"a\r\tb\x7f", "a??b?"},
        {"gr\xc3\xb6\xff", "gr???"},
        {"{a=b, c}#", "{a=b, c}#"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct metric_label label = {"name", cases[i].value};
        struct buffer text = {0};
        char expected[80];
        snprintf(expected, sizeof(expected), "calls_total{name=\"%s\"} 1\n",
                 cases[i].written);
        probe_metric_sample(&text, &calls, &label, 1, 1);
        assert_string_equal(text.data, expected);
        buffer_release(&text);
    }
}

static void a_time_is_written_in_seconds(void **state)
{
    (void)state;
    static const struct metric time = {"t_seconds", "gauge", "T."};
    static const struct {
        uint64_t ns;
        const char *line;
    } cases[] = {
        {0, "\nt_seconds 0.000000\n"},
        {1999, "\nt_seconds 0.000001\n"},
        {5000000000, "\nt_seconds 5.000000\n"},
        {1795326014392529000, "\nt_seconds 1795326014.392529\n"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct buffer text = {0};
        probe_metric_time(&text, &time, cases[i].ns);
        assert_non_null(strstr(text.data, cases[i].line));
        buffer_release(&text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_metric_has_help_type_and_value),
        cmocka_unit_test(samples_have_their_labels),
        cmocka_unit_test(a_label_cannot_end_its_line),
        cmocka_unit_test(a_time_is_written_in_seconds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
