/*
 * Tests of symbols: an address gives the function, file and line of the source, even in
 * a static function; a function without a name gets no wrong one; nothing is read
 * twice.
 */
#include "probe/symbols/symbols.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probe/symbols/symbol_protocol.h"
#include "unit.h"

/* A library that this program and its libraries do not need. */
#define LATE_LIBRARY "libcjson.so.1"

static const unsigned doubled_line = __LINE__ + 1;
__attribute__((noinline)) static int doubled(int value)
{
    return value * 2;
}

static void names_a_static_function_with_file_and_line(void **state)
{
    (void)state;
    struct symbol symbol;
    uintptr_t address = (uintptr_t)doubled;
    assert_true(probe_symbols_find(address, &symbol));
    assert_string_equal(symbol.function, "doubled");
    assert_int_equal(symbol.start, address);
    assert_string_equal(symbol.file_in_tree, "tests/unit/symbols_test.c");
    assert_in_range(symbol.line, doubled_line, doubled_line + 3);
    /* The file may have a directory in front. */
    const char *tail = strstr(symbol.file, "tests/unit/symbols_test.c");
    assert_non_null(tail);
    assert_string_equal(tail, symbol.file_in_tree);
}

static void names_a_place_inside_a_function(void **state)
{
    (void)state;
    struct symbol symbol;
    uintptr_t address = (uintptr_t)doubled + 3;
    assert_true(probe_symbols_find(address, &symbol));
    assert_string_equal(symbol.function, "doubled");
    assert_int_equal(symbol.start, (uintptr_t)doubled);
    assert_in_range(symbol.line, doubled_line, doubled_line + 3);
}

static void names_what_a_library_exports(void **state)
{
    (void)state;
    struct symbol symbol;
    void *address = dlsym(RTLD_DEFAULT, "gnu_get_libc_version");
    assert_non_null(address);
    assert_true(probe_symbols_find((uintptr_t)address, &symbol));
    assert_string_equal(symbol.function, "gnu_get_libc_version");
    const struct module *module = probe_symbols_module((uintptr_t)address);
    assert_non_null(module);
    assert_non_null(strstr(module->path, "libc.so.6"));
    assert_int_equal(strlen(module->build_id), 40);
}

static void does_not_name_what_is_not_code(void **state)
{
    (void)state;
    struct symbol symbol;
    assert_false(probe_symbols_find(0x10, &symbol));
    assert_string_equal(symbol.function, "0x10");
    assert_null(symbol.file);
    assert_null(probe_symbols_module(0x10));
    assert_false(probe_symbols_find((uintptr_t)&symbol, &symbol));
    assert_false(probe_symbols_find(UINTPTR_MAX, &symbol));
}

/* libdw is stripped: most of its functions are static and have no name. Their names are
 * library and offset, with the same offset for all addresses in one function. */
static void calls_a_nameless_function_by_its_library(void **state)
{
    (void)state;
    struct symbol symbol;
    size_t number = 0;
    const struct module *module = NULL;
    while ((module = probe_symbols_module_next(&number)) != NULL) {
        if (strstr(module->path, "libdw") != NULL) {
            break;
        }
    }
    assert_non_null(module);
    uintptr_t address = module->start;
    do {
        address += 16;
        assert_true(address < module->end);
        probe_symbols_find(address, &symbol);
    } while (symbol.function != symbol.made_up || symbol.start == address);
    assert_true(strncmp(symbol.function, "libdw", 5) == 0);
    assert_non_null(strstr(symbol.function, "+0x"));

    struct symbol at_start;
    probe_symbols_find(symbol.start, &at_start);
    assert_string_equal(at_start.function, symbol.function);
}

static void reads_a_library_that_comes_later(void **state)
{
    (void)state;
    assert_int_equal(probe_symbols_load(), 0);
    size_t read = probe_symbols_modules_read();
    assert_int_equal(probe_symbols_load(), 0);
    assert_int_equal(probe_symbols_modules_read(), read);

    void *library = dlopen(LATE_LIBRARY, RTLD_NOW);
    assert_non_null(library);
    uintptr_t address = (uintptr_t)dlsym(library, "cJSON_Parse");
    struct symbol symbol;
    assert_false(probe_symbols_find(address, &symbol));
    assert_int_equal(probe_symbols_load(), 0);
    assert_int_equal(probe_symbols_modules_read(), read + 1);
    assert_true(probe_symbols_find(address, &symbol));
    assert_string_equal(symbol.function, "cJSON_Parse");

    dlclose(library);
    assert_int_equal(probe_symbols_load(), 0);
    assert_null(probe_symbols_module(address));
    assert_int_equal(probe_symbols_modules_read(), read + 1);
}

/* The answer to `request`; the caller frees it. */
static char *answer(const char *request)
{
    struct buffer buffer = {0};
    assert_int_equal(probe_symbol_answer(request, strlen(request), &buffer), 0);
    char *text = strdup(buffer.data);
    buffer_release(&buffer);
    return text;
}

static void protocol_answers_addresses(void **state)
{
    (void)state;
    char request[200];
    char expected[200];
    unsigned long long address = (uintptr_t)doubled + 1;
    snprintf(request, sizeof(request), "0x%016llx+%llX+", address, address + 1);
    snprintf(expected, sizeof(expected),
             "num_symbols: 1\n0x%llx\tdoubled\n0x%llx\tdoubled\n", address,
             address + 1);
    char *text = answer(request);
    assert_string_equal(text, expected);
    free(text);
}

static void protocol_passes_over_anything_else(void **state)
{
    (void)state;
    static const char *const requests[] = {
        "",       "+",          "+++",  "num_symbols", "0x",
        "0x+0x+", "0xnonsense", "0x10", "-1",          "11112222333344445",
        "%2b",    "0x 10",      " ",    "\n",          "0xffffffffffffffff",
    };
    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
        char *text = answer(requests[i]);
        assert_string_equal(text, "num_symbols: 1\n");
        free(text);
    }
}

static void protocol_refuses_what_is_too_long(void **state)
{
    (void)state;
    static char request[SYMBOL_REQUEST_BYTES_MAX + 1];
    memset(request, '+', sizeof(request));
    struct buffer buffer = {0};
    assert_int_equal(probe_symbol_answer(request, sizeof(request), &buffer), -EMSGSIZE);
    assert_int_equal(buffer.length, 0);
    assert_int_equal(probe_symbol_answer(request, sizeof(request) - 1, &buffer), 0);
    assert_string_equal(buffer.data, "num_symbols: 1\n");
    buffer_release(&buffer);
}

static void command_line_begins_with_the_program(void **state)
{
    (void)state;
    struct buffer buffer = {0};
    assert_int_equal(probe_command_line_answer(&buffer), 0);
    assert_non_null(strstr(buffer.data, "symbols_test"));
    assert_int_not_equal(buffer.data[buffer.length - 1], '\0');
    buffer_release(&buffer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_a_static_function_with_file_and_line),
        cmocka_unit_test(names_a_place_inside_a_function),
        cmocka_unit_test(names_what_a_library_exports),
        cmocka_unit_test(does_not_name_what_is_not_code),
        cmocka_unit_test(calls_a_nameless_function_by_its_library),
        cmocka_unit_test(reads_a_library_that_comes_later),
        cmocka_unit_test(protocol_answers_addresses),
        cmocka_unit_test(protocol_passes_over_anything_else),
        cmocka_unit_test(protocol_refuses_what_is_too_long),
        cmocka_unit_test(command_line_begins_with_the_program),
    };
    assert_int_equal(doubled(1), 2);
    return probe_symbols_load() != 0 || cmocka_run_group_tests(tests, NULL, NULL);
}
