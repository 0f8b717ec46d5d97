/*
 * Each row of the table becomes an option of getopt_long. getopt_long returns the
 * number of the row, and the row says what to do with the value.
 */
#include "base/command_line.h"

#include <assert.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <string.h>

#include "base/amount.h"
#include "base/number.h"
#include "base/size.h"

#define OPTIONS_MAX 40
/* getopt_long returns this for the first row. No character has such a value. */
#define FIRST_LETTER 256
#define HELP_LETTER (FIRST_LETTER + OPTIONS_MAX)
#define VERSION_LETTER (HELP_LETTER + 1)
#define WIDTH 80 /* columns of the help */

/* A number as text, for messages and the help. */
struct number_text {
    char at[24];
};

static struct number_text number_format(int64_t number, bool size)
{
    static const char letters[] = "KMG";
    int letter = -1;
    while (size && letter < 2 && number != 0 && number % KIB == 0) {
        number /= KIB;
        letter++;
    }
    struct number_text text;
    snprintf(text.at, sizeof(text.at), "%" PRId64 "%.*s", number, letter < 0 ? 0 : 1,
             letter < 0 ? "" : letters + letter);
    return text;
}

static int number_refuse(const struct command_option *option, const char *value,
                         struct failure *failure)
{
    struct number_text least = number_format(option->least, option->size);
    struct number_text most = number_format(option->most, option->size);
    const char *or_off = option->off ? ", or off" : "";
    if (option->size && option->most == AMOUNT_MAX) {
        return failure_set(
            failure, EINVAL,
            "--%s takes whole bytes, or K, M or G of them%s, not '%.60s'", option->name,
            or_off, value);
    }
    return failure_set(failure, EINVAL, "--%s takes a %s from %s to %s%s, not '%.60s'",
                       option->name, option->size ? "size" : "number", least.at,
                       most.at, or_off, value);
}

static int number_take(const struct command_option *option, const char *value,
                       struct failure *failure)
{
    if (option->off && strcmp(value, "off") == 0) {
        *option->number = -1;
        return 0;
    }
    uint64_t number;
    uint64_t least = (uint64_t)option->least;
    uint64_t most = (uint64_t)option->most;
    int error = option->size ? number_parse_size(value, least, most, &number)
                             : number_parse(value, least, most, &number);
    if (error < 0) {
        return number_refuse(option, value, failure);
    }
    *option->number = (int64_t)number;
    return 0;
}

/* Whether `value` is one of the words between the '|'. */
static bool is_choice(const char *choices, const char *value)
{
    for (;;) {
        size_t length = strcspn(choices, "|");
        if (strlen(value) == length && strncmp(choices, value, length) == 0) {
            return true;
        }
        if (choices[length] == '\0') {
            return false;
        }
        choices += length + 1;
    }
}

static int text_take(const struct command_option *option, const char *value,
                     struct failure *failure)
{
    if (option->choices != NULL && !is_choice(option->choices, value)) {
        return failure_set(failure, EINVAL, "--%s is one of %s, not '%.60s'",
                           option->name, option->choices, value);
    }
    *option->text = value;
    return 0;
}

static int list_take(const struct command_option *option, const char *value,
                     struct failure *failure)
{
    struct command_list *list = option->list;
    if (list->count == COMMAND_LIST_MAX) {
        return failure_set(failure, EINVAL, "--%s is given more than %d times",
                           option->name, COMMAND_LIST_MAX);
    }
    list->items[list->count++] = value;
    return 0;
}

/* Stores the value of one option; `value` is NULL if it has none. */
static int option_take(const struct command_option *option, const char *value,
                       struct failure *failure)
{
    if (value != NULL && value[0] == '\0') {
        return failure_set(failure, EINVAL, "the value of --%s is empty", option->name);
    }
    int error = 0;
    if (value == NULL && option->implied != 0) {
        *option->number = option->implied;
    } else if (value == NULL) {
        /* a flag: there is nothing to read */
    } else if (option->number != NULL) {
        error = number_take(option, value, failure);
    } else if (option->text != NULL) {
        error = text_take(option, value, failure);
    } else if (option->list != NULL) {
        error = list_take(option, value, failure);
    }
    if (error == 0 && option->check != NULL) {
        error = option->check(value, failure);
    }
    if (error == 0 && option->given != NULL) {
        *option->given = true;
    }
    return error;
}

/* Says what is wrong with `word`, after getopt_long has returned `letter`. */
static void word_refuse(const struct command_line *line, int letter, const char *word,
                        struct failure *failure)
{
    if (optopt == 0) {
        failure_set(failure, EINVAL, "unknown option %.60s", word);
    } else if (optopt < FIRST_LETTER) { /* one letter of several, "-xy" */
        failure_set(failure, EINVAL, "unknown option -%c", optopt);
    } else {
        const char *name = optopt == HELP_LETTER ? "help"
                           : optopt == VERSION_LETTER
                               ? "version"
                               : line->options[optopt - FIRST_LETTER].name;
        failure_set(failure, EINVAL, "--%s %s", name,
                    letter == ':' ? "needs a value" : "takes no value");
    }
}

/* Fills in getopt_long's table, which ends with an empty row. */
static void words_fill(const struct command_line *line, struct option *words)
{
    size_t used = 0;
    assert(line->count <= OPTIONS_MAX);
    for (size_t i = 0; i < line->count; i++) {
        const struct command_option *option = &line->options[i];
        if (option->name != NULL) {
            int takes = option->word == NULL   ? no_argument
                        : option->implied != 0 ? optional_argument
                                               : required_argument;
            words[used++] =
                (struct option){option->name, takes, NULL, FIRST_LETTER + (int)i};
        }
    }
    words[used++] = (struct option){"help", no_argument, NULL, HELP_LETTER};
    words[used++] = (struct option){"version", no_argument, NULL, VERSION_LETTER};
    words[used] = (struct option){0};
}

enum command_result command_line_read(const struct command_line *line, int count,
                                      char **arguments, int *ret_rest,
                                      struct failure *failure)
{
    struct option words[OPTIONS_MAX + 3];
    words_fill(line, words);
    opterr = 0;
    optind = 0; /* glibc: start again from the beginning */
    int letter;
    while ((letter = getopt_long(count, arguments, ":", words, NULL)) != -1) {
        switch (letter) {
        case HELP_LETTER:
            return COMMAND_HELP;
        case VERSION_LETTER:
            return COMMAND_VERSION;
        case '?':
        case ':':
            word_refuse(line, letter, arguments[optind - 1], failure);
            return COMMAND_WRONG;
        default:
            if (option_take(&line->options[letter - FIRST_LETTER], optarg, failure) <
                0) {
                return COMMAND_WRONG;
            }
        }
    }
    *ret_rest = optind;
    return COMMAND_RUN;
}

/* Prints a text from column `at` on, in lines that begin in column `indent`. */
static void text_wrap(FILE *stream, const char *text, int at, int indent)
{
    int column = at;
    bool first = true; /* the next word is the first of its line */
    while (*text != '\0') {
        int length = (int)strcspn(text, " \n");
        if (!first && column + 1 + length > WIDTH) {
            fputc('\n', stream);
            column = 0;
            first = true;
        }
        int gap = first ? (column < indent ? indent - column : 0) : 1;
        fprintf(stream, "%*s%.*s", gap, "", length, text);
        column += gap + length;
        first = false;
        text += length;
        if (*text == '\n') {
            fputc('\n', stream);
            column = 0;
            first = true;
        }
        text += *text != '\0';
    }
    fputc('\n', stream);
}

/* Writes the help text of an option, with its default in place of the '%'. */
static void default_fill(const struct command_option *option, char *text, size_t size)
{
    struct number_text number;
    const char *shown = "";
    if (option->number != NULL) {
        number = number_format(*option->number, option->size);
        shown = number.at;
    } else if (option->text != NULL && *option->text != NULL) {
        shown = *option->text;
    }
    /* A text that explains a '%' of its own has no default in it. */
    const char *mark = option->literal ? NULL : strchr(option->help, '%');
    int before = mark == NULL ? (int)strlen(option->help) : (int)(mark - option->help);
    snprintf(text, size, "%.*s%s%s", before, option->help, mark == NULL ? "" : shown,
             mark == NULL ? "" : mark + 1);
}

/* An option as the help shows it: "--port N", "--trace[=SECONDS]", "--loud". A row that
 * is only a paragraph is empty. */
struct option_text {
    char at[64];
};

static struct option_text option_format(const struct command_option *option)
{
    struct option_text text = {""};
    if (option->name != NULL) {
        const char *word = option->word == NULL ? "" : option->word;
        const char *before = option->implied != 0 ? "[=" : *word == '\0' ? "" : " ";
        snprintf(text.at, sizeof(text.at), "--%s%s%s%s", option->name, before, word,
                 option->implied != 0 ? "]" : "");
    }
    return text;
}

static void option_help(const struct command_option *option, int indent, FILE *stream)
{
    char help[1024];
    default_fill(option, help, sizeof(help));
    if (option->name == NULL) {
        fputc('\n', stream);
        text_wrap(stream, help, 0, 0);
        return;
    }
    struct option_text text = option_format(option);
    fprintf(stream, "  %s", text.at);
    text_wrap(stream, help, (int)strlen(text.at) + 2, indent);
}

/* Prints each form of the command line after the program's name. */
static void usage_help(const struct command_line *line, FILE *stream)
{
    const char *usage = line->usage;
    for (const char *label = "usage:"; *usage != '\0'; label = "      ") {
        int length = (int)strcspn(usage, "\n");
        fprintf(stream, "%s %s %.*s\n", label, line->program, length, usage);
        usage += length + (usage[length] != '\0');
    }
}

void command_line_help(const struct command_line *line, FILE *stream)
{
    static const struct command_option always[] = {
        {.name = "help", .help = "this text"},
        {.name = "version", .help = "the version"},
    };
    int indent = 0;
    for (size_t i = 0; i < line->count; i++) {
        int width = (int)strlen(option_format(&line->options[i]).at) + 4;
        indent = width > indent ? width : indent;
    }
    usage_help(line, stream);
    fputc('\n', stream);
    text_wrap(stream, line->about, 0, 0);
    fputc('\n', stream);
    for (size_t i = 0; i < line->count; i++) {
        option_help(&line->options[i], indent, stream);
    }
    fputc('\n', stream);
    for (size_t i = 0; i < sizeof(always) / sizeof(always[0]); i++) {
        option_help(&always[i], indent, stream);
    }
    fputc('\n', stream);
    text_wrap(stream, line->notes, 0, 0);
}

int command_line_answer(const struct command_line *line, enum command_result result,
                        const struct failure *failure)
{
    switch (result) {
    case COMMAND_HELP:
        command_line_help(line, stdout);
        return 0;
    case COMMAND_VERSION:
        printf("%s %s\n", line->program, LAB_VERSION);
        return 0;
    default:
        fprintf(stderr, "%s: %s\nTry '%s --help'.\n", line->program, failure->text,
                line->program);
        return 2;
    }
}
