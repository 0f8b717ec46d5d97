/*
 * The peer that a server has without --peer: the lab's other server, if it runs on its
 * own port. The other options are tested from the outside, by
 * tests/e2e/options_test.py.
 */
#include "unit.h"

#include "options.h"
#include "variant.h"

const struct variant variant = {
    .name = "leaky",
    .port = 8080,
    .debug_port = 6060,
    .peer_port = 8081,
};

/* The peer after these options; `arguments` ends with NULL. */
static struct origin peer_after(char **arguments)
{
    struct options options;
    int count = 0;
    int status;
    while (arguments[count] != NULL) {
        count++;
    }
    assert_true(options_parse(&options, count, arguments, &status));
    return options.peer;
}

static void test_on_own_port_other_server_is_peer(void **state)
{
    (void)state;
    struct origin peer = peer_after((char *[]){"leaky", NULL});
    assert_string_equal(peer.host, "localhost");
    assert_int_equal(peer.port, 8081);
}

static void test_on_another_port_there_is_none(void **state)
{
    (void)state;
    assert_int_equal(peer_after((char *[]){"leaky", "--port", "0", NULL}).port, 0);
    assert_int_equal(peer_after((char *[]){"leaky", "--port", "8082", NULL}).port, 0);
}

static void test_named_peer_is_taken(void **state)
{
    (void)state;
    struct origin peer =
        peer_after((char *[]){"leaky", "--peer", "http://127.0.0.1:9001", NULL});
    assert_string_equal(peer.host, "127.0.0.1");
    assert_int_equal(peer.port, 9001);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_on_own_port_other_server_is_peer),
        cmocka_unit_test(test_on_another_port_there_is_none),
        cmocka_unit_test(test_named_peer_is_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
