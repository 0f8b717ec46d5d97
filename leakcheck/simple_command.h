/*
 * Whether a line for the shell is one simple command, so that the shell can become the
 * program: with 'exec' before it, what follows an operator would never run.
 */
#ifndef LEAKCHECK_SIMPLE_COMMAND_H
#define LEAKCHECK_SIMPLE_COMMAND_H

/* The first operator in the line that begins another command (";", "&&", "|", ...), or
 * a parenthesis: a pointer into the line. NULL: there is none. Quotes, redirections
 * such as 2>&1, $(...) and a ';' at the very end are part of a simple command. */
const char *simple_command_operator(const char *line);

#endif
