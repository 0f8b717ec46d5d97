/*
 * What went wrong, in one line for a person. Functions fill one of these when the cause
 * lies outside of the program: in a server, an option, a file.
 */
#ifndef BASE_FAILURE_H
#define BASE_FAILURE_H

struct failure {
    char text[640]; /* printable ASCII, no newline; set by the function that fails */
};

/* Writes the text and returns -error, so that `return failure_set(...)` reads well.
 * Bytes that a terminal could take for commands become '?': much of what is reported
 * here was sent by a server. */
int failure_set(struct failure *failure, int error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
