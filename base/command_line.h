/*
 * A command line as a table. Each row is one option: which values it takes, where the
 * value goes, and what --help prints about it. So --help always agrees with the parser,
 * and all programs treat options in the same way.
 *
 * If an option is given twice, the last value counts. Every program has --help and
 * --version; the arguments after them are not read.
 */
#ifndef BASE_COMMAND_LINE_H
#define BASE_COMMAND_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/failure.h"

#define COMMAND_LIST_MAX 64

/* The values of an option that may be given several times. */
struct command_list {
    const char *items[COMMAND_LIST_MAX];
    size_t count;
};

/* One option. Of `number`, `text` and `list` at most one is set: the value goes there.
 * Texts are not copied: they point into the command line. */
struct command_option {
    const char *name; /* without the dashes; NULL: only a paragraph of the help */
    const char *word; /* name of the value in the help; NULL: the option takes no
                         value */
    const char *help; /* a '%' stands for the default: the contents of `number` or
                         `text` when the help is printed */
    bool literal;     /* it has no default in it, and a '%' is one */

    int64_t *number; /* a whole number */
    int64_t least;
    int64_t most;
    bool size;       /* a number of bytes: may end with K, M or G */
    bool off;        /* "off" is allowed too, and means -1 */
    int64_t implied; /* not 0: `--name` alone is allowed and means this number, and a
                        value must follow a '=' */

    const char **text;
    const char *choices; /* allowed texts, "exact|off"; NULL: all are */

    struct command_list *list;

    bool *given; /* set to true if the option is given; NULL: not needed */

    /* A further check of the value, called last. Returns 0 or -EINVAL. NULL: not
     * needed. */
    int (*check)(const char *value, struct failure *failure);
};

struct command_line {
    const char *program;
    const char *usage; /* one line for each form, without the program's name */
    const char *about; /* what the program does */
    const struct command_option *options;
    size_t count;
    const char *notes; /* the end of --help, such as the exit statuses */
};

enum command_result {
    COMMAND_RUN, /* all options are read */
    COMMAND_HELP,
    COMMAND_VERSION,
    COMMAND_WRONG, /* the failure says why */
};

/* Reads the options and moves the other arguments to the end of `arguments`. Writes the
 * index of the first of these to *ret_rest. */
enum command_result command_line_read(const struct command_line *line, int count,
                                      char **arguments, int *ret_rest,
                                      struct failure *failure);

/* Prints the help, the version, or the error message. Returns the exit status: 0, or 2
 * after an error. */
int command_line_answer(const struct command_line *line, enum command_result result,
                        const struct failure *failure);

/* Prints the help in lines of at most 80 columns. */
void command_line_help(const struct command_line *line, FILE *stream);

#endif
