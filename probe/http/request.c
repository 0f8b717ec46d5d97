/*
 * Looks up methods and headers by their names.
 */
#include "probe/http/request.h"

#include <string.h>
#include <strings.h>

enum request_method probe_request_method(const char *name)
{
    static const struct {
        const char *name;
        enum request_method method;
    } methods[] = {{"GET", METHOD_GET}, {"HEAD", METHOD_HEAD}, {"POST", METHOD_POST}};
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        if (strcmp(name, methods[i].name) == 0) {
            return methods[i].method;
        }
    }
    return METHOD_OTHER;
}

const char *probe_request_header(const struct request *request, const char *name,
                                 int *ret_count)
{
    const char *value = NULL;
    int count = 0;
    for (size_t i = 0; i < request->header_count; i++) {
        if (strcasecmp(request->headers[i].name, name) == 0) {
            value = request->headers[i].value;
            count++;
        }
    }
    if (ret_count != NULL) {
        *ret_count = count;
    }
    return value;
}
