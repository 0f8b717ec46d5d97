/*
 * The query is read first, then the body. The first value that is wrong ends the
 * reading with a reply 400.
 */
#include "probe/http/form.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/number.h"

/* Decodes `length` bytes of a form (application/x-www-form-urlencoded) into `to`, which
 * has `size` bytes. Returns false if the text is not well formed, is too long, or has a
 * character that is not printable ASCII. */
static bool form_decode(char *to, size_t size, const char *from, size_t length)
{
    size_t used = 0;
    for (size_t i = 0; i < length; i++) {
        char byte = from[i] == '+' ? ' ' : from[i];
        if (byte == '%') {
            int high = i + 2 < length ? number_hex_digit(from[i + 1]) : -1;
            int low = i + 2 < length ? number_hex_digit(from[i + 2]) : -1;
            if (high < 0 || low < 0) {
                return false;
            }
            byte = (char)(high * 16 + low);
            i += 2;
        }
        if (used + 1 >= size || !isprint((unsigned char)byte)) {
            return false;
        }
        to[used++] = byte;
    }
    to[used] = '\0';
    return true;
}

/* Reads the value of one parameter. Returns NULL, or what is wrong with it. */
static const char *read_value(struct parameter *parameter, const char *text)
{
    if (parameter->present) {
        return "is given twice";
    }
    parameter->present = true;
    if (parameter->type == PARAMETER_TEXT) {
        snprintf(parameter->text, sizeof(parameter->text), "%s", text);
        return *text == '\0' ? "is empty" : NULL;
    }
    int error = parameter->type == PARAMETER_SIZE
                    ? number_parse_size(text, parameter->minimum, parameter->maximum,
                                        &parameter->number)
                    : number_parse(text, parameter->minimum, parameter->maximum,
                                   &parameter->number);
    if (error == -EINVAL) {
        return "is not a number";
    }
    return error != 0 ? "is out of range" : NULL;
}

static void refuse_value(const struct parameter *parameter, const char *fault,
                         struct reply *reply)
{
    char hint[128];
    if (parameter->type == PARAMETER_TEXT) {
        snprintf(hint, sizeof(hint), "%s is 1 to %d printable ASCII characters",
                 parameter->name, PARAMETER_TEXT_MAX);
    } else {
        snprintf(hint, sizeof(hint), "%s is a %s from %lu to %lu", parameter->name,
                 parameter->type == PARAMETER_SIZE ? "size (bytes, or with K, M, G)"
                                                   : "number",
                 (unsigned long)parameter->minimum, (unsigned long)parameter->maximum);
    }
    probe_reply_error(reply, 400, "bad_parameter", hint, "%s %s", parameter->name,
                      fault);
}

static void refuse_unknown(const char *name, const struct parameter *parameters,
                           size_t count, struct reply *reply)
{
    char hint[256] = "this route takes no parameters";
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        used +=
            (size_t)snprintf(hint + used, sizeof(hint) - used, "%s%s",
                             i == 0 ? "this route takes " : ", ", parameters[i].name);
    }
    probe_reply_error(reply, 400, "unknown_parameter", hint, "unknown parameter '%s'",
                      name);
}

/* Reads one "name=value" of a form. */
static bool read_pair(const char *pair, size_t length, struct parameter *parameters,
                      size_t count, struct reply *reply)
{
    const char *equals = memchr(pair, '=', length);
    size_t name_length = equals == NULL ? length : (size_t)(equals - pair);
    char name[32];
    if (!form_decode(name, sizeof(name), pair, name_length)) {
        refuse_unknown("(not readable)", parameters, count, reply);
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        struct parameter *parameter = &parameters[i];
        if (strcmp(parameter->name, name) != 0) {
            continue;
        }
        char text[PARAMETER_TEXT_MAX + 1];
        const char *fault = "is too long, or not printable";
        const char *value = equals == NULL ? "" : equals + 1;
        size_t value_length = equals == NULL ? 0 : length - name_length - 1;
        if (form_decode(text, sizeof(text), value, value_length)) {
            fault = read_value(parameter, text);
        }
        if (fault != NULL) {
            refuse_value(parameter, fault, reply);
        }
        return fault == NULL;
    }
    refuse_unknown(name, parameters, count, reply);
    return false;
}

static bool read_form(const char *form, struct parameter *parameters, size_t count,
                      struct reply *reply)
{
    while (*form != '\0') {
        size_t length = strcspn(form, "&");
        if (length > 0 && !read_pair(form, length, parameters, count, reply)) {
            return false;
        }
        form += length;
        if (*form == '&') {
            form++;
        }
    }
    return true;
}

bool probe_form_read(const struct request *request, struct parameter *parameters,
                     size_t count, struct reply *reply)
{
    if (!read_form(request->query, parameters, count, reply)) {
        return false;
    }
    if (request->body_bytes == 0) {
        return true;
    }
    static const char form[] = "application/x-www-form-urlencoded";
    const char *type = probe_request_header(request, "Content-Type", NULL);
    if (type == NULL || strncasecmp(type, form, sizeof(form) - 1) != 0 ||
        strlen(request->body) != request->body_bytes) {
        probe_reply_error(reply, 400, "bad_request",
                          "send parameters in the query, or as a form (curl -d)",
                          "the body is not a form");
        return false;
    }
    return read_form(request->body, parameters, count, reply);
}

bool probe_form_read_none(const struct request *request, struct reply *reply)
{
    return probe_form_read(request, NULL, 0, reply);
}
