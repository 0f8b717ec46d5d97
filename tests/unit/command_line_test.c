/*
 * Tests of command lines: each kind of value goes where its row says, everything else
 * is refused with one sentence, and the help agrees with the parser.
 */
#include "base/command_line.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit.h"

#define SEVENTY_EIGHT_X                                                                \
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"                                          \
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define EIGHTY_COLUMNS SEVENTY_EIGHT_X " 8"

static int64_t port;
static int64_t heap;
static const char *mode;
static const char *file;
static struct command_list names;
static bool loud;
static bool port_given;
static int64_t pause_seconds;

static int file_check(const char *value, struct failure *failure)
{
    return value[0] == '/'
               ? 0
               : failure_set(failure, EINVAL, "--file takes a whole path, not '%.60s'",
                             value);
}

static const struct command_option table[] = {
    {.name = "port",
     .word = "N",
     .help = "where it listens (%; off: nowhere)",
     .number = &port,
     .least = 1,
     .most = 65535,
     .off = true,
     .given = &port_given},
    {.name = "max-heap",
     .word = "SIZE",
     .help = "the most that it takes (%)",
     .number = &heap,
     .least = 1024,
     .most = INT64_C(64) << 30,
     .size = true},
    {.help = "Seldom needed:"},
    {.name = "mode",
     .word = "MODE",
     .help = "how exact it is (%)",
     .text = &mode,
     .choices = "exact|sampled|off"},
    {.name = "file",
     .word = "PATH",
     .help = "where it writes; a help that is so long that it needs two lines, and "
             "then a third, because it goes on and on: nobody reads to its end",
     .text = &file,
     .check = file_check},
    {.name = "name", .word = "NAME", .help = "whom it greets", .list = &names},
    {.name = "loud", .help = "be loud", .given = &loud},
    {.name = "pause",
     .word = "SECONDS",
     .help = "rest after each (3 seconds)",
     .number = &pause_seconds,
     .least = 1,
     .most = 60,
     .implied = 3},
};

static const struct command_line line = {
    .program = "tool",
    .usage = "[OPTION]... FILE\n[OPTION]... --port N",
    .about = "Does what a tool does.",
    .options = table,
    .count = sizeof(table) / sizeof(table[0]),
    .notes = EIGHTY_COLUMNS "\n" EIGHTY_COLUMNS "1",
};

static struct failure failure;
static char *arguments[200];
static int rest;

/* Reads the words, which end with NULL, as arguments after the program's name. */
static enum command_result read_words(const char *const *words)
{
    port = 80;
    heap = 512 << 20;
    mode = "exact";
    file = NULL;
    names.count = 0;
    loud = false;
    port_given = false;
    pause_seconds = 0;
    failure.text[0] = '\0';
    int count = 0;
    arguments[count++] = (char *)"tool";
    while (*words != NULL) {
        arguments[count++] = (char *)*words++;
    }
    arguments[count] = NULL;
    return command_line_read(&line, count, arguments, &rest, &failure);
}

#define READ(...) read_words((const char *const[]){__VA_ARGS__, NULL})

static void values_go_where_the_rows_say(void **state)
{
    (void)state;
    assert_int_equal(READ("--port", "8080", "--max-heap=2M", "--mode", "sampled",
                          "--file", "/x", "--loud"),
                     COMMAND_RUN);
    assert_int_equal(port, 8080);
    assert_true(port_given);
    assert_int_equal(heap, 2 << 20);
    assert_string_equal(mode, "sampled");
    assert_string_equal(file, "/x");
    assert_true(loud);
    assert_null(arguments[rest]);
}

static void what_is_not_given_stays(void **state)
{
    (void)state;
    assert_int_equal(READ("one", "--mode", "off", "two"), COMMAND_RUN);
    assert_int_equal(port, 80);
    assert_false(port_given);
    assert_int_equal(heap, 512 << 20);
    assert_null(file);
    assert_false(loud);
    assert_string_equal(arguments[rest], "one");
    assert_string_equal(arguments[rest + 1], "two");
    assert_null(arguments[rest + 2]);
}

static void the_last_value_counts_and_a_list_keeps_all(void **state)
{
    (void)state;
    assert_int_equal(READ("--port", "1", "--name", "a", "--mode=off", "--port", "off",
                          "--name=b", "--mode=exact"),
                     COMMAND_RUN);
    assert_int_equal(port, -1);
    assert_string_equal(mode, "exact");
    assert_int_equal(names.count, 2);
    assert_string_equal(names.items[0], "a");
    assert_string_equal(names.items[1], "b");
}

static void an_implied_number_needs_no_value(void **state)
{
    (void)state;
    assert_int_equal(READ("one"), COMMAND_RUN);
    assert_int_equal(pause_seconds, 0);
    assert_int_equal(READ("--pause"), COMMAND_RUN);
    assert_int_equal(pause_seconds, 3);
    assert_int_equal(READ("--pause=60"), COMMAND_RUN);
    assert_int_equal(pause_seconds, 60);
    assert_int_equal(READ("--pause=60", "--pause"), COMMAND_RUN);
    assert_int_equal(pause_seconds, 3);
    /* A word after it is no value: it could not be told from an argument. */
    assert_int_equal(READ("--pause", "60"), COMMAND_RUN);
    assert_int_equal(pause_seconds, 3);
    assert_string_equal(arguments[rest], "60");
}

static void behind_two_dashes_nothing_is_an_option(void **state)
{
    (void)state;
    assert_int_equal(READ("--loud", "--", "--port", "x"), COMMAND_RUN);
    assert_true(loud);
    assert_string_equal(arguments[rest], "--port");
}

static void a_wrong_word_is_refused_in_one_sentence(void **state)
{
    (void)state;
    static const struct {
        const char *words[3];
        const char *sentence;
    } cases[] = {
        {{"--port", "x"}, "--port takes a number from 1 to 65535, or off, not 'x'"},
        {{"--port", "0"}, "--port takes a number from 1 to 65535, or off, not '0'"},
        {{"--port=65536"},
         "--port takes a number from 1 to 65535, or off, not '65536'"},
        {{"--port", "-1"}, "--port takes a number from 1 to 65535, or off, not '-1'"},
        {{"--max-heap=1023"}, "--max-heap takes a size from 1K to 64G, not '1023'"},
        {{"--max-heap=65G"}, "--max-heap takes a size from 1K to 64G, not '65G'"},
        {{"--max-heap=off"}, "--max-heap takes a size from 1K to 64G, not 'off'"},
        {{"--mode", "sample"}, "--mode is one of exact|sampled|off, not 'sample'"},
        {{"--mode", "exact|"}, "--mode is one of exact|sampled|off, not 'exact|'"},
        {{"--file", "x\n"}, "--file takes a whole path, not 'x?'"},
        {{"--file", ""}, "the value of --file is empty"},
        {{"--port", ""}, "the value of --port is empty"},
        {{"--name="}, "the value of --name is empty"},
        {{"--port"}, "--port needs a value"},
        {{"--loud=1"}, "--loud takes no value"},
        {{"--pause=0"}, "--pause takes a number from 1 to 60, not '0'"},
        {{"--pause=1.5"}, "--pause takes a number from 1 to 60, not '1.5'"},
        {{"--pause="}, "the value of --pause is empty"},
        {{"--help=1"}, "--help takes no value"},
        {{"--colour"}, "unknown option --colour"},
        {{"-xy"}, "unknown option -x"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(read_words(cases[i].words), COMMAND_WRONG);
        assert_string_equal(failure.text, cases[i].sentence);
    }
}

static void a_list_has_an_end(void **state)
{
    (void)state;
    const char *words[COMMAND_LIST_MAX + 2] = {NULL};
    for (int i = 0; i < COMMAND_LIST_MAX; i++) {
        words[i] = "--name=x";
    }
    assert_int_equal(read_words(words), COMMAND_RUN);
    assert_int_equal(names.count, COMMAND_LIST_MAX);
    words[COMMAND_LIST_MAX] = "--name=y";
    assert_int_equal(read_words(words), COMMAND_WRONG);
    assert_string_equal(failure.text, "--name is given more than 64 times");
}

static void help_and_version_end_the_reading(void **state)
{
    (void)state;
    assert_int_equal(READ("--loud", "--help", "--port", "x"), COMMAND_HELP);
    assert_int_equal(READ("--version", "--port", "x"), COMMAND_VERSION);
    assert_int_equal(READ("--port", "x", "--help"), COMMAND_WRONG);
}

static void the_help_has_every_row_and_its_default(void **state)
{
    (void)state;
    static const char expected[] =
        "usage: tool [OPTION]... FILE\n"
        "       tool [OPTION]... --port N\n"
        "\n"
        "Does what a tool does.\n"
        "\n"
        "  --port N           where it listens (80; off: nowhere)\n"
        "  --max-heap SIZE    the most that it takes (512M)\n"
        "\n"
        "Seldom needed:\n"
        "  --mode MODE        how exact it is (exact)\n"
        "  --file PATH        where it writes; a help that is so long that it needs "
        "two\n"
        "                     lines, and then a third, because it goes on and on: "
        "nobody\n"
        "                     reads to its end\n"
        "  --name NAME        whom it greets\n"
        "  --loud             be loud\n"
        "  --pause[=SECONDS]  rest after each (3 seconds)\n"
        "\n"
        "  --help             this text\n"
        "  --version          the version\n"
        "\n" EIGHTY_COLUMNS "\n" SEVENTY_EIGHT_X "\n"
        "81\n";
    READ("one");
    char *text = NULL;
    size_t length = 0;
    FILE *stream = open_memstream(&text, &length);
    assert_non_null(stream);
    command_line_help(&line, stream);
    fclose(stream);
    assert_string_equal(text, expected);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_go_where_the_rows_say),
        cmocka_unit_test(what_is_not_given_stays),
        cmocka_unit_test(the_last_value_counts_and_a_list_keeps_all),
        cmocka_unit_test(an_implied_number_needs_no_value),
        cmocka_unit_test(behind_two_dashes_nothing_is_an_option),
        cmocka_unit_test(a_wrong_word_is_refused_in_one_sentence),
        cmocka_unit_test(a_list_has_an_end),
        cmocka_unit_test(help_and_version_end_the_reading),
        cmocka_unit_test(the_help_has_every_row_and_its_default),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
