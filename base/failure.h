/*
 * A failure is one line for a person that says what went wrong. Functions fill one in
 * when the cause is outside of the program: in a server, an option, a file.
 */
#ifndef BASE_FAILURE_H
#define BASE_FAILURE_H

struct failure {
    char text[640]; /* printable ASCII, no newline; set by the function that fails */
};

/* Writes the text and returns -error, so a caller can write `return failure_set(...)`.
 * Bytes that are not printable ASCII become '?': many texts come from a server, and a
 * terminal could read such bytes as commands. */
int failure_set(struct failure *failure, int error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
