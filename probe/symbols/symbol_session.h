/*
 * A session of libdw with one file (elfutils/libdwfl.h). Each file has a session of its
 * own, so few descriptors are open at a time.
 */
#ifndef PROBE_SYMBOLS_SYMBOL_SESSION_H
#define PROBE_SYMBOLS_SYMBOL_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "probe/symbols/elf_facts.h"
#include "probe/symbols/libdw.h"

struct symbol_request {
    int fd; /* of the file; stays the caller's */
    const char *path;
    const struct elf_facts *facts;
    uint64_t line_bytes;          /* lines are read up to this size of .debug_line */
    uint64_t detached_line_bytes; /* the same in a detached file; 0: never */
    bool (*interrupted)(void);    /* true: stop soon; NULL: never */
};

struct symbol_session {
    const struct libdw *libdw; /* NULL: the library is not there */
    const struct symbol_request *request;
    Dwfl *dwfl;
    Dwfl_Module *module;     /* NULL: libdw cannot read the file */
    bool detached;           /* a file with detached symbols was found */
    uint64_t detached_lines; /* bytes of .debug_line in it */
    bool interrupted;        /* the reading was given up */
};

/* Opens the file, as if it was mapped at its own addresses. The session does not move
 * in memory before it is closed. Returns 0, also if nothing can be read; or -errno, and
 * then there is nothing to close. */
int probe_symbol_session_open(const struct symbol_request *request,
                              struct symbol_session *session);

/* Whether the reading is to be given up; look now and then. */
bool probe_symbol_session_interrupted(struct symbol_session *session);

/* Whether the file has debug information that is to be read, of the lines or of
 * variables. False if there is none; *ret_left_out is whether there is too much. */
bool probe_symbol_session_lines_wanted(const struct symbol_session *session,
                                       bool *ret_left_out);

void probe_symbol_session_close(struct symbol_session *session);

#endif
