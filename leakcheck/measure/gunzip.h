/*
 * Unpacks what a server has sent in gzip's format (RFC 1952), with zlib.
 */
#ifndef LEAKCHECK_MEASURE_GUNZIP_H
#define LEAKCHECK_MEASURE_GUNZIP_H

#include <stdbool.h>
#include <stddef.h>

#include "base/failure.h"

/* Whether the bytes begin as gzip's format does. */
bool is_gzip(const char *bytes, size_t length);

/* Unpacks all of `bytes`, which are not trusted, to at most `most` bytes. The caller
 * frees *ret_bytes, which is set only on success. Returns 0, -ENOMEM, or -EPROTO with
 * a reason: damaged, cut short, or too long when unpacked. */
int gunzip(const char *bytes, size_t length, size_t most, char **ret_bytes,
           size_t *ret_length, struct failure *failure);

#endif
