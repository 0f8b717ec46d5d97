/*
 * Tests of requests and replies without an HTTP server: the checks, the parameters, the
 * routes, and the form of an error.
 */
#include <errno.h>
#include <string.h>
#include <sys/resource.h>

#include "probe/http/check.h"
#include "probe/http/form.h"
#include "probe/http/reply.h"
#include "probe/http/route.h"
#include "unit.h"

static const struct site site = {
    .name = "test",
    .bind = "127.0.0.1",
    .host_name = "machine",
    .hints = {.memory = "start anew", .fds = "close some", .cross_site = "use curl"},
};

/* A GET of "/status" with these headers, and its reply. */
struct exchange {
    struct request request;
    struct reply reply;
};

static void exchange_init(struct exchange *exchange,
                          const struct request_header *headers, size_t count)
{
    exchange->request = (struct request){
        .site = &site,
        .other_port = 6060,
        .method = METHOD_GET,
        .version = "1.1",
        .target = "/status",
        .query = "",
        .headers = headers,
        .header_count = count,
    };
    exchange->request.path = exchange->request.target;
    probe_reply_init(&exchange->reply, &exchange->request);
}

static void assert_reply_has(const struct reply *reply, int status, const char *text)
{
    assert_int_equal(reply->status, status);
    assert_non_null(memmem(reply->data, reply->bytes, text, strlen(text)));
    assert_int_equal(reply->data[reply->bytes - 1], '\n');
}

static void framing_must_leave_no_doubt(void **state)
{
    (void)state;
    static const struct {
        struct request_header headers[3];
        size_t count;
        const char *fault; /* NULL: none */
    } cases[] = {
        {{{"host", "localhost"}}, 1, NULL},
        {{{"Host", "localhost"}, {"Content-Length", "12"}}, 2, NULL},
        {{{"Host", "localhost"}, {"Transfer-Encoding", "Chunked"}}, 2, NULL},
        {{{"Accept", "*/*"}}, 1, "one Host header"},
        {{{"Host", "localhost"}, {"HOST", "localhost"}}, 2, "one Host header"},
        {{{"Host", "a"}, {"Content-Length", "1"}, {"content-length", "1"}}, 3, "once"},
        {{{"Host", "a"}, {"Content-Length", "1"}, {"Transfer-Encoding", "chunked"}},
         3,
         "once"},
        {{{"Host", "a"}, {"Content-Length", "+1"}}, 2, "not a number"},
        {{{"Host", "a"}, {"Content-Length", ""}}, 2, "not a number"},
        {{{"Host", "a"}, {"Transfer-Encoding", "gzip"}}, 2, "chunked"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct exchange exchange;
        exchange_init(&exchange, cases[i].headers, cases[i].count);
        bool passes = probe_check_framing(&exchange.request, &exchange.reply);
        assert_int_equal(passes, cases[i].fault == NULL);
        if (!passes) {
            assert_reply_has(&exchange.reply, 400, cases[i].fault);
            assert_true(exchange.reply.closes);
        }
        probe_reply_release(&exchange.reply);
    }
}

static void only_its_own_names_reach_the_server(void **state)
{
    (void)state;
    static const struct {
        const char *host;
        bool ours;
    } cases[] = {
        {"localhost", true},      {"LOCALHOST:8080", true},
        {"127.0.0.1:1", true},    {"machine", false},
        {"evil.example", false},  {"localhost.evil", false},
        {"localhost:80x", false}, {"", false},
        {":8080", false},         {"192.168.0.1:80", false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct request_header host = {"Host", cases[i].host};
        struct exchange exchange;
        exchange_init(&exchange, &host, 1);
        bool passes = probe_check_host(&exchange.request, &exchange.reply);
        assert_int_equal(passes, cases[i].ours);
        if (!passes) {
            assert_reply_has(&exchange.reply, 403, "forbidden_host");
        }
        probe_reply_release(&exchange.reply);
    }
}

static void a_target_may_name_this_server_only(void **state)
{
    (void)state;
    static const struct request_header host = {"Host", "localhost"};
    static const char *const targets[] = {"http://localhost:8080/status",
                                          "http://evil.example/status"};
    for (size_t i = 0; i < 2; i++) {
        struct exchange exchange;
        exchange_init(&exchange, &host, 1);
        exchange.request.target = targets[i];
        exchange.request.path = strstr(targets[i], "/status");
        assert_int_equal(probe_check_host(&exchange.request, &exchange.reply), i == 0);
        probe_reply_release(&exchange.reply);
    }
}

static void other_sites_are_refused(void **state)
{
    (void)state;
    static const struct {
        struct request_header headers[2];
        size_t count;
        bool acts;
        bool passes;
    } cases[] = {
        {{{"Host", "localhost:8080"}}, 1, true, true},
        {{{"Host", "localhost:8080"}, {"Origin", "http://localhost:8080"}},
         2,
         true,
         true},
        {{{"Host", "localhost:8080"}, {"Origin", "http://localhost:6060"}},
         2,
         true,
         true},
        {{{"Host", "localhost:8080"}, {"Origin", "http://localhost:9"}},
         2,
         false,
         false},
        {{{"Host", "localhost:8080"}, {"Origin", "null"}}, 2, false, false},
        {{{"Host", "localhost:8080"}, {"Sec-Fetch-Site", "cross-site"}},
         2,
         false,
         false},
        {{{"Host", "localhost:8080"}, {"Sec-Fetch-Site", "same-site"}}, 2, false, true},
        {{{"Host", "localhost:8080"}, {"Sec-Fetch-Site", "same-site"}}, 2, true, false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct exchange exchange;
        exchange_init(&exchange, cases[i].headers, cases[i].count);
        bool passes =
            probe_check_site(&exchange.request, cases[i].acts, &exchange.reply);
        assert_int_equal(passes, cases[i].passes);
        probe_reply_release(&exchange.reply);
    }
}

/* A page may be at any address, and on any port. */
static void a_foreign_address_is_not_this_servers_other_port(void **state)
{
    (void)state;
    static const struct site exposed = {
        .name = "test",
        .bind = "0.0.0.0",
        .expose = true,
        .host_name = "machine",
        .hints = {.cross_site = "use curl"},
    };
    static const struct {
        const char *host;
        const char *origin;
        bool passes;
    } cases[] = {
        {"192.168.0.1:8080", "http://192.168.0.1:6060", true},
        {"192.168.0.1:8080", "http://machine:6060", true},
        {"machine:8080", "http://machine:6060", true},
        {"192.168.0.1:8080", "http://203.0.113.9:6060", false},
        {"machine:8080", "http://203.0.113.9:6060", false},
        {"192.168.0.1:8080", "http://192.168.0.1:6061", false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct request_header headers[] = {{"Host", cases[i].host},
                                           {"Origin", cases[i].origin}};
        struct exchange exchange;
        exchange_init(&exchange, headers, 2);
        exchange.request.site = &exposed;
        bool passes = probe_check_site(&exchange.request, true, &exchange.reply);
        assert_int_equal(passes, cases[i].passes);
        assert_int_equal(exchange.reply.reader != NULL, cases[i].passes);
        probe_reply_release(&exchange.reply);
    }
}

enum { COUNT, SIZE, NAME, PARAMETERS };

/* Reads `query` as a count, a size and a name. */
static bool form_read(struct exchange *exchange, const char *query,
                      struct parameter parameters[PARAMETERS])
{
    static const struct parameter described[PARAMETERS] = {
        [COUNT] = {.name = "count", .minimum = 1, .maximum = 10},
        [SIZE] = {.name = "size", .type = PARAMETER_SIZE, .maximum = 1 << 20},
        [NAME] = {.name = "name", .type = PARAMETER_TEXT},
    };
    memcpy(parameters, described, sizeof(described));
    exchange_init(exchange, NULL, 0);
    exchange->request.query = query;
    return probe_form_read(&exchange->request, parameters, PARAMETERS,
                           &exchange->reply);
}

static void parameters_are_decoded_and_bounded(void **state)
{
    (void)state;
    struct exchange exchange;
    struct parameter parameters[PARAMETERS];
    assert_true(form_read(&exchange, "count=3&size=64K&name=a%20b%2bc+d", parameters));
    assert_int_equal(parameters[COUNT].number, 3);
    assert_int_equal(parameters[SIZE].number, 65536);
    assert_string_equal(parameters[NAME].text, "a b+c d");
    assert_true(form_read(&exchange, "", parameters));
    assert_false(parameters[NAME].present);

    static const char *const wrong[] = {
        "count=0",         "count=11", "count=",  "count=-1",
        "count=1&count=1", "size=2M",  "name=",   "name=%zz",
        "name=%0a",        "name=%4",  "other=1", "count",
        "name=a&other=b",  "size=1KK", "=1",      "count=99999999999999999999",
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_false(form_read(&exchange, wrong[i], parameters));
        assert_reply_has(&exchange.reply, 400, "\"hint\"");
        probe_reply_release(&exchange.reply);
    }
}

static void page_reads(const struct request *request, struct reply *reply)
{
    (void)request;
    probe_reply_static(reply, REPLY_TEXT, "read\n", 5);
}

static void page_acts(const struct request *request, struct reply *reply)
{
    (void)request;
    probe_reply_static(reply, REPLY_TEXT, "acted\n", 6);
}

static void a_path_finds_its_page(void **state)
{
    (void)state;
    static const struct route routes[] = {
        {"/read", ROUTE_READS, false, page_reads},
        {"/act/*", METHOD_POST, true, page_acts},
    };
    assert_null(probe_route_find(routes, 2, "/reads"));
    assert_null(probe_route_find(routes, 2, "/act"));
    const struct route *route = probe_route_find(routes, 2, "/act/now");
    assert_ptr_equal(route, &routes[1]);

    struct exchange exchange;
    exchange_init(&exchange, NULL, 0);
    probe_route_answer(&routes[0], &exchange.request, &exchange.reply);
    assert_reply_has(&exchange.reply, 200, "read");
    probe_route_answer(route, &exchange.request, &exchange.reply);
    assert_reply_has(&exchange.reply, 405, "method_not_allowed");
    assert_string_equal(exchange.reply.headers, "Allow: POST\r\n");
    probe_reply_release(&exchange.reply);
}

static void errors_are_printable_and_short(void **state)
{
    (void)state;
    struct exchange exchange;
    char long_text[2000];
    memset(long_text, '\x01', sizeof(long_text) - 1);
    long_text[sizeof(long_text) - 1] = '\0';
    exchange_init(&exchange, NULL, 0);
    probe_reply_error(&exchange.reply, 404, "code", "hint", "a\nb %s", long_text);
    assert_reply_has(&exchange.reply, 404, "a\\\\x0ab \\\\x01");
    assert_true(exchange.reply.bytes < 4000);
    probe_reply_uncounted(&exchange.reply, -EMFILE);
    assert_reply_has(&exchange.reply, 503, "close some");
    probe_reply_release(&exchange.reply);
}

static void short_memory_is_said_without_memory(void **state)
{
    (void)state;
    struct exchange exchange;
    exchange_init(&exchange, NULL, 0);
    struct buffer failed = {.error = -ENOMEM};
    probe_reply_buffer(&exchange.reply, REPLY_TEXT, &failed);
    assert_reply_has(&exchange.reply, 503, "start anew");
    assert_reply_has(&exchange.reply, 503, "heap_limit");
    assert_null(exchange.reply.owned.data);
}

/* A text that is there needs no memory to become a reply. */
static void a_text_needs_no_memory_but_its_own(void **state)
{
    (void)state;
    struct exchange exchange;
    exchange_init(&exchange, NULL, 0);
    char *text = strdup("value\n");
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_AS, &before), 0);
    struct rlimit none = {.rlim_cur = 0, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_AS, &none), 0);
    probe_reply_text(&exchange.reply, 200, REPLY_TEXT, text, strlen(text));
    assert_reply_has(&exchange.reply, 200, "value");
    probe_reply_error(&exchange.reply, 400, "code", "hint", "message");
    assert_int_equal(setrlimit(RLIMIT_AS, &before), 0);
    assert_reply_has(&exchange.reply, 503, "heap_limit");
    probe_reply_release(&exchange.reply);
}

static void last_words_end_where_their_room_does(void **state)
{
    (void)state;
    char hint[1000];
    memset(hint, 'x', sizeof(hint) - 1);
    hint[sizeof(hint) - 1] = '\0';
    struct site wordy = site;
    wordy.hints.memory = hint;
    struct exchange exchange;
    exchange_init(&exchange, NULL, 0);
    exchange.request.site = &wordy;
    probe_reply_no_memory(&exchange.reply);
    assert_in_range(exchange.reply.bytes, 1, sizeof(exchange.reply.last_words) - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(framing_must_leave_no_doubt),
        cmocka_unit_test(only_its_own_names_reach_the_server),
        cmocka_unit_test(a_target_may_name_this_server_only),
        cmocka_unit_test(other_sites_are_refused),
        cmocka_unit_test(a_foreign_address_is_not_this_servers_other_port),
        cmocka_unit_test(parameters_are_decoded_and_bounded),
        cmocka_unit_test(a_path_finds_its_page),
        cmocka_unit_test(errors_are_printable_and_short),
        cmocka_unit_test(short_memory_is_said_without_memory),
        cmocka_unit_test(a_text_needs_no_memory_but_its_own),
        cmocka_unit_test(last_words_end_where_their_room_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
