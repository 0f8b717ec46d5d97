/*
 * Maps the errors of profiles to replies.
 */
#include "probe/pages/profile_reply.h"

#include <errno.h>
#include <string.h>

bool probe_profile_text_refused(struct reply *reply, bool as_text, bool over_seconds)
{
    if (as_text && over_seconds) {
        probe_reply_error(reply, 400, "bad_parameter", "leave out debug=1",
                          "a difference over seconds has no text form");
    }
    return as_text && over_seconds;
}

void probe_profile_refuse(struct reply *reply, int error)
{
    const struct site_hints *hints = &reply->request->site->hints;
    const char *code = "heap_limit";
    const char *hint = hints->memory;
    if (error == -ESRCH) {
        probe_reply_error(reply, 501, "not_listed",
                          "mount the /proc of its own pid namespace before it starts, "
                          "as unshare --mount-proc does",
                          "/proc has other numbers of processes and threads than this "
                          "process: it is that of another pid namespace");
        return;
    }
    if (error == -ECANCELED) {
        code = "stopping";
        hint = "the server is being stopped";
    } else if (error == -EMFILE || error == -ENFILE) {
        code = "fd_limit";
        hint = hints->fds;
    } else if (error == -ENOBUFS) {
        code = "thread_limit";
        hint = hints->mappings;
    } else if (error == -ENOENT) {
        hint = REPLY_NO_PROC;
    }
    probe_reply_error(reply, 503, code, hint, "the profile could not be written: %s",
                      strerror(-error));
}

void probe_profile_reply(struct reply *reply, const char *type, int error,
                         struct buffer *buffer)
{
    if (error == 0) {
        error = buffer->error;
    }
    if (error == 0) {
        probe_reply_buffer(reply, type, buffer);
    } else {
        buffer_release(buffer);
        probe_profile_refuse(reply, error);
    }
}
