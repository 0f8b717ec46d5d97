/*
 * How the judge writes numbers for people.
 */
#include "unit.h"

#include "leakcheck/report/text.h"

static void bytes_have_three_digits_at_most(void **state)
{
    (void)state;
    assert_string_equal(text_bytes(0).at, "0 B");
    assert_string_equal(text_bytes(-0.4).at, "0 B");
    assert_string_equal(text_bytes(1023).at, "1023 B");
    assert_string_equal(text_bytes(1023.6).at, "1.0 KiB");
    assert_string_equal(text_bytes(1024).at, "1.0 KiB");
    assert_string_equal(text_bytes(999.9 * 1024).at, "999.9 KiB");
    assert_string_equal(text_bytes(999.96 * 1024).at, "0.98 MiB");
    assert_string_equal(text_bytes(1000.0 * 1024).at, "0.98 MiB");
    assert_string_equal(text_bytes(1024.0 * 1024).at, "1.0 MiB");
    assert_string_equal(text_bytes(-3 * 1024.0).at, "-3.0 KiB");
}

static void counts_are_short(void **state)
{
    (void)state;
    assert_string_equal(text_count(9).at, "9");
    assert_string_equal(text_count(-0.001).at, "0");
    assert_string_equal(text_count(0.125).at, "0.12");
    assert_string_equal(text_count(9.99).at, "9.99");
    assert_string_equal(text_count(199.88).at, "199.9");
}

static void one_has_no_plural(void **state)
{
    (void)state;
    assert_string_equal(text_number_of(1, "call").at, "1 call");
    assert_string_equal(text_number_of(0, "call").at, "0 calls");
    assert_string_equal(text_number_of(4, "round").at, "4 rounds");
}

static void what_shrank_grew_by_nothing(void **state)
{
    (void)state;
    assert_string_equal(text_growth(RESOURCE_HEAP, -157286).at, "0 B");
    assert_string_equal(text_growth(RESOURCE_FDS, -0.5).at, "0");
    assert_string_equal(text_growth(RESOURCE_HEAP, 2048).at, "2.0 KiB");
    assert_true(text_is_shrinkage(RESOURCE_HEAP, -42));
    assert_true(text_is_shrinkage(RESOURCE_FDS, -0.5));
    assert_false(text_is_shrinkage(RESOURCE_HEAP, -0.2));
    assert_false(text_is_shrinkage(RESOURCE_FDS, -0.001));
    assert_false(text_is_shrinkage(RESOURCE_HEAP, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_have_three_digits_at_most),
        cmocka_unit_test(counts_are_short),
        cmocka_unit_test(one_has_no_plural),
        cmocka_unit_test(what_shrank_grew_by_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
