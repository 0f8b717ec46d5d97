/*
 * Tests of buffers: all written bytes are kept, whatever their number; the first
 * failure stays.
 */
#include "base/buffer.h"

#include <string.h>
#include <sys/resource.h>

#include "unit.h"

static void keeps_all_that_is_written(void **state)
{
    (void)state;
    struct buffer buffer = {0};
    for (int i = 0; i < 100000; i++) {
        buffer_printf(&buffer, "%05d,", i);
    }
    buffer_text(&buffer, "end");
    assert_int_equal(buffer.error, 0);
    assert_int_equal(buffer.length, 600003);
    assert_memory_equal(buffer.data + 6 * 54321, "54321,", 6);
    assert_string_equal(buffer.data + 600000, "end");
    buffer_release(&buffer);
    assert_null(buffer.data);
}

static void prints_what_is_longer_than_expected(void **state)
{
    (void)state;
    char text[5000];
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    struct buffer buffer = {0};
    buffer_printf(&buffer, "<%s>", text);
    assert_int_equal(buffer.length, sizeof(text) + 1);
    assert_int_equal(buffer.data[buffer.length - 1], '>');
    buffer_release(&buffer);
}

static void numbers_have_all_their_digits(void **state)
{
    (void)state;
    struct buffer buffer = {0};
    uint64_t numbers[] = {0, 9, 10, 4294967296, UINT64_MAX};
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        buffer_number(&buffer, numbers[i]);
        buffer_text(&buffer, " ");
    }
    assert_string_equal(buffer.data, "0 9 10 4294967296 18446744073709551615 ");
    buffer_release(&buffer);
}

static void html_has_its_characters_escaped(void **state)
{
    (void)state;
    struct buffer buffer = {0};
    buffer_html(&buffer, "a <b> \"c\" & d");
    assert_string_equal(buffer.data, "a &lt;b&gt; &quot;c&quot; &amp; d");
    buffer_release(&buffer);
}

static void is_empty_and_usable_when_cleared(void **state)
{
    (void)state;
    struct buffer buffer = {0};
    buffer_clear(&buffer);
    buffer_append(&buffer, NULL, 0);
    assert_int_equal(buffer.length, 0);
    buffer_text(&buffer, "first");
    buffer_clear(&buffer);
    buffer_text(&buffer, "second");
    assert_string_equal(buffer.data, "second");
    buffer_release(&buffer);
    buffer_release(&buffer);
}

static void stays_failed_once_it_has_failed(void **state)
{
    (void)state;
    struct buffer buffer = {0};
    buffer_text(&buffer, "whole");
    assert_null(buffer_reserve(&buffer, SIZE_MAX - 2));
    assert_int_equal(buffer.error, -ENOMEM);
    buffer_text(&buffer, "more");
    buffer_printf(&buffer, "%d", 1);
    assert_string_equal(buffer.data, "whole");
    assert_int_equal(buffer.error, -ENOMEM);
    buffer_release(&buffer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_all_that_is_written),
        cmocka_unit_test(prints_what_is_longer_than_expected),
        cmocka_unit_test(numbers_have_all_their_digits),
        cmocka_unit_test(html_has_its_characters_escaped),
        cmocka_unit_test(is_empty_and_usable_when_cleared),
        cmocka_unit_test(stays_failed_once_it_has_failed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
