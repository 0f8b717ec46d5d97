/*
 * A command line as a table. Each row is one option: what its value may be, where the
 * value goes, and what --help prints about it. So the help says what is read, and all
 * programs treat options alike.
 *
 * Of an option that is given again, the last value counts. Every program has --help and
 * --version; what follows them is not read.
 */
#ifndef BASE_COMMAND_LINE_H
#define BASE_COMMAND_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/failure.h"

#define COMMAND_LIST_MAX 64

/* The values of an option that may be given again. */
struct command_list {
    const char *items[COMMAND_LIST_MAX];
    size_t count;
};

/* One option. A value goes to the one of `number`, `text` and `list` that is set. The
 * texts stay where the command line has them. */
struct command_option {
    const char
        *name; /* without the dashes; NULL: a line of the help that stands alone */
    const char *word; /* stands for the value in the help; NULL: it takes no value */
    const char *help; /* a '%' in it stands for the default: what is at `number` or
                         `text` when the help is printed */

    int64_t *number; /* a whole number */
    int64_t least;
    int64_t most;
    bool size; /* it is a number of bytes: K, M and G are taken, too */
    bool off;  /* "off" is taken, too, and makes it -1 */

    const char **text;
    const char *choices; /* "exact|off": no other text is taken; NULL: any is */

    struct command_list *list;

    bool *given; /* becomes true where the option is given; NULL: not needed */

    /* Looks at a value that is otherwise good. Returns 0 or -EINVAL; NULL: not needed.
     */
    int (*check)(const char *value, struct failure *failure);
};

struct command_line {
    const char *program;
    const char *usage; /* one line for each form, without the program's name */
    const char *about; /* what the program does */
    const struct command_option *options;
    size_t count;
    const char *notes; /* what --help says in the end: the exit statuses, for one */
};

enum command_result {
    COMMAND_RUN,
    COMMAND_HELP,
    COMMAND_VERSION,
    COMMAND_WRONG, /* the failure says why */
};

/* Reads the options, and moves the other arguments to the end of `arguments`: they
 * begin at *ret_rest. */
enum command_result command_line_read(const struct command_line *line, int count,
                                      char **arguments, int *ret_rest,
                                      struct failure *failure);

/* Prints what --help, --version or wrong usage is answered with. Returns the exit
 * status, 0 or 2. */
int command_line_answer(const struct command_line *line, enum command_result result,
                        const struct failure *failure);

/* Writes what --help prints: lines of at most 80 columns. */
void command_line_help(const struct command_line *line, FILE *stream);

#endif
