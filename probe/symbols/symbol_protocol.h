/*
 * The symbol protocol of pprof: a reader sends addresses that it found in a profile and
 * gets their names.
 *
 * Source: gperftools, docs/pprof_remote_servers.html; Go's net/http/pprof, Symbol.
 */
#ifndef PROBE_SYMBOLS_SYMBOL_PROTOCOL_H
#define PROBE_SYMBOLS_SYMBOL_PROTOCOL_H

#include <stddef.h>

#include "base/buffer.h"

#define SYMBOL_REQUEST_BYTES_MAX ((size_t)64 * 1024)

/* Appends the answer to a request. `request` is the body of a POST or the query of a
 * GET: addresses in hexadecimal ("0x1a2b" or "1a2b"), joined by '+'. The first line,
 * "num_symbols: 1", says that names are available. Then each address that has a name
 * gives one line, "0x1a2b\tname". Words that are no addresses are ignored.
 *
 * Returns 0, -EMSGSIZE if the request has more than SYMBOL_REQUEST_BYTES_MAX bytes, or
 * -ENOMEM. */
int probe_symbol_answer(const char *request, size_t bytes, struct buffer *ret_text);

/* Appends the arguments that the process was started with, separated by '\0' as in Go's
 * answer. google-pprof uses the first one as the program's path. Returns 0, -errno from
 * reading /proc, or -ENOMEM. */
int probe_command_line_answer(struct buffer *ret_text);

#endif
