/*
 * The parameters of a request: "name=value&name=value" in the query, and in the body of
 * a POST that is a form (application/x-www-form-urlencoded).
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
    PARAMETER_SIZE,   /* digits, and K, M or G */
    PARAMETER_TEXT,   /* 1 to PARAMETER_TEXT_MAX printable ASCII characters */
};

/* One parameter that a page takes. The page fills in the upper part. */
struct parameter {
    const char *name;
    enum parameter_type type;
    uint64_t minimum; /* of a number or size */
    uint64_t maximum;

    bool present;
    uint64_t number;
    char text[PARAMETER_TEXT_MAX + 1];
};

/* Reads the parameters. Each may be given once; others than these are an error. Returns
 * true; or false, with the error (400) in the reply. */
bool probe_form_read(const struct request *request, struct parameter *parameters,
                     size_t count, struct reply *reply);

/* The same for a page that takes no parameters. */
bool probe_form_read_none(const struct request *request, struct reply *reply);

#endif
