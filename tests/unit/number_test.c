/*
 * Tests of numbers: valid ones are read exactly, up to the largest; everything else is
 * refused.
 */
#include "base/number.h"

#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/size.h"
#include "unit.h"

#define UNTOUCHED UINT64_C(77)

/* The result and the number of number_parse or number_parse_size for a text. */
struct reading {
    const char *text;
    int result;
    uint64_t number;
};

static void check_readings(int (*parse)(const char *, uint64_t, uint64_t, uint64_t *),
                           uint64_t least, uint64_t most,
                           const struct reading *expected)
{
    for (; expected->text != NULL; expected++) {
        uint64_t number = UNTOUCHED;
        int result = parse(expected->text, least, most, &number);
        uint64_t wanted = expected->result == 0 ? expected->number : UNTOUCHED;
        if (result != expected->result || number != wanted) {
            fail_msg("'%s' gives %d and %" PRIu64, expected->text, result, number);
        }
    }
}

static void a_number_is_digits_and_nothing_else(void **state)
{
    (void)state;
    static const struct reading expected[] = {
        {"0", 0, 0},
        {"7", 0, 7},
        {"007", 0, 7},
        {"18446744073709551615", 0, UINT64_MAX},
        {"18446744073709551616", -ERANGE, 0},
        {"18446744073709551620", -ERANGE, 0},
        {"99999999999999999999999999999999", -ERANGE, 0},
        {"99999999999999999999999999999x", -EINVAL, 0},
        {"", -EINVAL, 0},
        {"x", -EINVAL, 0},
        {"-1", -EINVAL, 0},
        {"+1", -EINVAL, 0},
        {" 1", -EINVAL, 0},
        {"1 ", -EINVAL, 0},
        {"1.5", -EINVAL, 0},
        {"1e3", -EINVAL, 0},
        {"0x10", -EINVAL, 0},
        {"1K", -EINVAL, 0},
        {"1\n", -EINVAL, 0},
        {0},
    };
    check_readings(number_parse, 0, UINT64_MAX, expected);
}

static void bounds_belong_to_what_they_bound(void **state)
{
    (void)state;
    static const struct reading expected[] = {
        {"63", -ERANGE, 0},    {"64", 0, 64},        {"30000", 0, 30000},
        {"30001", -ERANGE, 0}, {"many", -EINVAL, 0}, {0},
    };
    check_readings(number_parse, 64, 30000, expected);
}

static void a_size_takes_one_letter(void **state)
{
    (void)state;
    static const struct reading expected[] = {
        {"0", 0, 0},
        {"65536", 0, 65536},
        {"64K", 0, 64 * KIB},
        {"64k", 0, 64 * KIB},
        {"512M", 0, 512 * MIB},
        {"512m", 0, 512 * MIB},
        {"2G", 0, 2 * GIB},
        {"2g", 0, 2 * GIB},
        {"17179869183G", 0, 17179869183 * UINT64_C(1024) * 1024 * 1024},
        {"17179869184G", -ERANGE, 0},
        {"99999999999999999999999G", -ERANGE, 0},
        {"", -EINVAL, 0},
        {"K", -EINVAL, 0},
        {"1KK", -EINVAL, 0},
        {"1KB", -EINVAL, 0},
        {"1 K", -EINVAL, 0},
        {"1T", -EINVAL, 0},
        {"-1K", -EINVAL, 0},
        {0},
    };
    check_readings(number_parse_size, 0, UINT64_MAX, expected);
    static const struct reading bounded[] = {
        {"31M", -ERANGE, 0},
        {"32M", 0, 32 * MIB},
        {"64G", 0, 64 * GIB},
        {"65G", -ERANGE, 0},
        {0},
    };
    check_readings(number_parse_size, 32 * MIB, 64 * GIB, bounded);
}

static void a_scan_stops_behind_the_digits(void **state)
{
    (void)state;
    const char *text = "1024: 7";
    uint64_t number = UNTOUCHED;
    assert_ptr_equal(number_scan(text, NULL, &number), text + 4);
    assert_int_equal(number, 1024);
    assert_ptr_equal(number_scan(text, text + 2, &number), text + 2);
    assert_int_equal(number, 10);

    number = UNTOUCHED;
    assert_null(number_scan(text, text, &number));
    assert_null(number_scan(text + 4, NULL, &number));
    assert_null(number_scan("", NULL, &number));
    assert_null(number_scan("18446744073709551616", NULL, &number));
    assert_int_equal(number, UNTOUCHED);
}

static void a_hexadecimal_scan_takes_both_cases(void **state)
{
    (void)state;
    const char *text = "7fFFab-";
    uint64_t number = UNTOUCHED;
    assert_ptr_equal(number_scan_hex(text, NULL, &number), text + 6);
    assert_int_equal(number, 0x7fffab);
    assert_non_null(number_scan_hex("ffffffffffffffff", NULL, &number));
    assert_true(number == UINT64_MAX);
    assert_null(number_scan_hex("10000000000000000", NULL, &number));
    assert_null(number_scan_hex("x1", NULL, &number));
}

static void a_hexadecimal_digit_is_one_of_22_characters(void **state)
{
    (void)state;
    static const char digits[] = "0123456789abcdef0123456789ABCDEF";
    int known = 0;
    for (int byte = 0; byte < 256; byte++) {
        known += number_hex_digit((char)byte) >= 0;
    }
    assert_int_equal(known, 22);
    for (int i = 0; i < 32; i++) {
        assert_int_equal(number_hex_digit(digits[i]), i % 16);
    }
}

static void the_clock_goes_forward(void **state)
{
    (void)state;
    int64_t start_ms = clock_now_ms();
    int64_t start_ns = clock_now_ns();
    assert_true(start_ns / CLOCK_NS_PER_MS >= start_ms);
    clock_sleep_ms(20);
    assert_true(clock_now_ns() - start_ns >= 20 * CLOCK_NS_PER_MS);
    assert_true(clock_now_ms() - start_ms >= 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_number_is_digits_and_nothing_else),
        cmocka_unit_test(bounds_belong_to_what_they_bound),
        cmocka_unit_test(a_size_takes_one_letter),
        cmocka_unit_test(a_scan_stops_behind_the_digits),
        cmocka_unit_test(a_hexadecimal_scan_takes_both_cases),
        cmocka_unit_test(a_hexadecimal_digit_is_one_of_22_characters),
        cmocka_unit_test(the_clock_goes_forward),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
