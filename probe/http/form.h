/*
 * The parameters of a request: "name=value&name=value" in the query, or in the body of
 * a POST (application/x-www-form-urlencoded). All values are checked before a page sees
 * any of them.
 */
#ifndef PROBE_HTTP_FORM_H
#define PROBE_HTTP_FORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "probe/http/reply.h"
#include "probe/http/request.h"

#define PARAMETER_TEXT_MAX 128 /* bytes of a text */

enum parameter_type {
    PARAMETER_NUMBER, /* decimal digits */
    PARAMETER_SIZE,   /* digits, then perhaps K, M or G */
    PARAMETER_TEXT,   /* 1 to PARAMETER_TEXT_MAX printable ASCII characters */
};

/* One parameter of a page. The page fills in the upper part; reading fills in the
 * lower. */
struct parameter {
    const char *name;
    enum parameter_type type;
    uint64_t minimum; /* of a number or size */
    uint64_t maximum;

    bool present;
    uint64_t number;
    char text[PARAMETER_TEXT_MAX + 1];
};

/* Reads the parameters. It is an error to give one twice, or one that is not in the
 * list. Returns true; or false, with the error (400) in the reply. */
bool probe_form_read(const struct request *request, struct parameter *parameters,
                     size_t count, struct reply *reply);

/* The same for a page that takes no parameters. */
bool probe_form_read_none(const struct request *request, struct reply *reply);

#endif
