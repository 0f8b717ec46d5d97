/*
 * Tests of the lab's JSON replies: complete, or not sent at all.
 */
#include "server/lab_json.h"

#include <string.h>
#include <sys/resource.h>

#include "unit.h"

static const struct site site = {.name = "test", .hints = {.memory = "start anew"}};
static const struct request request = {.site = &site};

static void assert_reply_has(const struct reply *reply, int status, const char *text)
{
    assert_int_equal(reply->status, status);
    assert_non_null(memmem(reply->data, reply->bytes, text, strlen(text)));
    assert_int_equal(reply->data[reply->bytes - 1], '\n');
}

static void json_that_is_not_there_is_no_reply(void **state)
{
    (void)state;
    struct reply reply;
    probe_reply_init(&reply, &request);
    lab_json_reply(&reply, 200, NULL);
    assert_reply_has(&reply, 503, "heap_limit");
    probe_reply_release(&reply);
}

static void json_needs_no_memory_but_its_own(void **state)
{
    (void)state;
    struct reply reply;
    probe_reply_init(&reply, &request);
    cJSON *json = cJSON_CreateObject();
    cJSON_AddStringToObject(json, "name", "value");
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_AS, &before), 0);
    struct rlimit none = {.rlim_cur = 0, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_AS, &none), 0);
    lab_json_reply(&reply, 200, json);
    assert_int_equal(setrlimit(RLIMIT_AS, &before), 0);
    assert_reply_has(&reply, 200, "value");
    probe_reply_release(&reply);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_that_is_not_there_is_no_reply),
        cmocka_unit_test(json_needs_no_memory_but_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
