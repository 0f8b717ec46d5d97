/*
 * The pages of the symbol protocol of Go and gperftools: names of addresses, and the
 * command line.
 */
#include <string.h>

#include "probe/http/form.h"
#include "probe/pages/pages.h"
#include "probe/pages/profile_reply.h"
#include "probe/symbols/symbol_protocol.h"

void probe_page_symbol(const struct request *request, struct reply *reply)
{
    bool posted = request->method == METHOD_POST;
    const char *addresses = posted ? request->body : request->query;
    size_t bytes = posted ? request->body_bytes : strlen(request->query);
    struct buffer buffer = {0};
    int error = probe_symbol_answer(addresses == NULL ? "" : addresses, bytes, &buffer);
    probe_profile_reply(reply, REPLY_TEXT, error, &buffer);
}

void probe_page_cmdline(const struct request *request, struct reply *reply)
{
    struct buffer buffer = {0};
    if (probe_form_read_none(request, reply)) {
        int error = probe_command_line_answer(&buffer);
        probe_profile_reply(reply, REPLY_TEXT, error, &buffer);
    }
}
