#include "leakcheck/simple_command.h"

#include <string.h>

/* The last character of what begins at `at`: a quoted text, an escaped character. */
static const char *quoted_end(const char *at)
{
    char quote = *at;
    if (quote == '\\') {
        return at[1] == '\0' ? at : at + 1;
    }
    for (at++; *at != '\0' && *at != quote; at++) {
        if (*at == '\\' && quote != '\'' && at[1] != '\0') {
            at++;
        }
    }
    return *at == '\0' ? at - 1 : at;
}

/* The last character of "$(...)", which may have others in it. */
static const char *substitution_end(const char *at)
{
    unsigned open = 0;
    for (at++; *at != '\0'; at++) {
        if (strchr("\\'\"`", *at) != NULL) {
            at = quoted_end(at);
        } else if (*at == '(') {
            open++;
        } else if (*at == ')' && --open == 0) {
            return at;
        }
    }
    return at - 1;
}

const char *simple_command_operator(const char *line)
{
    for (const char *at = line; *at != '\0'; at++) {
        if (strchr("\\'\"`", *at) != NULL) {
            at = quoted_end(at);
        } else if (at[0] == '$' && at[1] == '(') {
            at = substitution_end(at);
        } else if ((*at == '<' || *at == '>') && (at[1] == '&' || at[1] == '|')) {
            at++;
        } else if (strchr("&|()", *at) != NULL ||
                   (strchr(";\n", *at) != NULL && at[strspn(at, "; \t\n")] != '\0')) {
            return at;
        }
    }
    return NULL;
}
