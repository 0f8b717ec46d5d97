/*
 * Tests of origins: all forms that browsers write are read, and similar texts are
 * refused.
 */
#include "probe/http/origin.h"

#include <string.h>

#include "unit.h"

static int parse(const char *text, struct origin *ret_origin)
{
    return probe_origin_parse(text, strlen(text), ret_origin);
}

static void assert_origin(const char *text, const char *host, unsigned port)
{
    struct origin origin;
    assert_int_equal(parse(text, &origin), 0);
    assert_string_equal(origin.host, host);
    assert_int_equal(origin.port, port);
}

static void origins_are_read(void **state)
{
    (void)state;
    assert_origin("http://localhost:8080", "localhost", 8080);
    assert_origin("http://127.0.0.1:1", "127.0.0.1", 1);
    assert_origin("http://LocalHost:65535", "localhost", 65535);
    assert_origin("http://my-host_2.example", "my-host_2.example", 80);
}

static void what_is_none_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "null",
        "http://",
        "http:///",
        "http:/localhost",
        "localhost:8080",
        "//localhost:8080",
        "https://localhost:8080",
        "HTTP://localhost:8080",
        "file://localhost",
        " http://localhost:8080",
        "http://localhost:8080 ",
        "http://localhost:8080/",
        "http://localhost:8080/x",
        "http://localhost/",
        "http://localhost:8080?x",
        "http://localhost:8080#x",
        "http://localhost:",
        "http://:8080",
        "http://localhost:0",
        "http://localhost:08080",
        "http://localhost:65536",
        "http://localhost:80800",
        "http://localhost:123456",
        "http://localhost:4294975376",
        "http://localhost:+8080",
        "http://localhost:-1",
        "http://localhost:8080:8080",
        "http://localhost:80x",
        "http://user@localhost:8080",
        "http://localhost@evil:8080",
        "http://[::1]:8080",
        "http://local host:8080",
        "http://localhost:8080 http://localhost:8080",
        "http://localhost:8080,http://localhost:8080",
        "http://localh\xc3\xb6st:8080",
        "http://localhost\x7f:8080",
        "http://%6cocalhost:8080",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct origin origin = {.port = 7};
        if (parse(texts[i], &origin) != -EINVAL || origin.port != 7) {
            fail_msg("read: '%s'", texts[i]);
        }
    }
}

static void a_host_has_its_limit(void **state)
{
    (void)state;
    char text[300] = "http://";
    memset(text + 7, 'a', 255);
    assert_origin(text, text + 7, 80);
    text[7 + 255] = 'a';
    struct origin origin;
    assert_int_equal(parse(text, &origin), -EINVAL);
}

static void length_is_the_end(void **state)
{
    (void)state;
    struct origin origin;
    assert_int_equal(probe_origin_parse("http://h:80801", 12, &origin), 0);
    assert_int_equal(origin.port, 808);
    assert_int_equal(probe_origin_parse("http://h:8080", 6, &origin), -EINVAL);
    assert_int_equal(probe_origin_parse_host("localhost:8080/", 14, &origin), 0);
    assert_int_equal(origin.port, 8080);
    assert_int_equal(probe_origin_parse_host("localhost:8080/", 9, &origin), 0);
    assert_int_equal(origin.port, 80);
    assert_int_equal(probe_origin_parse_host("", 0, &origin), -EINVAL);
}

static bool equal(const char *a, const char *b)
{
    struct origin one;
    struct origin two;
    assert_int_equal(parse(a, &one), 0);
    assert_int_equal(parse(b, &two), 0);
    return probe_origin_equal(&one, &two);
}

static void the_same_is_the_same(void **state)
{
    (void)state;
    assert_true(equal("http://LOCALHOST:8080", "http://localhost:8080"));
    assert_true(equal("http://localhost", "http://localhost:80"));
    assert_false(equal("http://localhost:8080", "http://localhost:8081"));
    assert_false(equal("http://localhost:8080", "http://127.0.0.1:8080"));
    assert_false(equal("http://localhost:8080", "http://localhost"));
    assert_false(equal("http://localhost.:8080", "http://localhost:8080"));
    struct origin none = {0};
    struct origin one;
    assert_int_equal(parse("http://localhost:8080", &one), 0);
    assert_false(probe_origin_equal(&none, &one));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(origins_are_read),
        cmocka_unit_test(what_is_none_is_refused),
        cmocka_unit_test(a_host_has_its_limit),
        cmocka_unit_test(length_is_the_end),
        cmocka_unit_test(the_same_is_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
