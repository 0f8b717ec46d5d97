/*
 * Replies that all profile pages share: the profile itself, or why there is none.
 */
#ifndef PROBE_PAGES_PROFILE_REPLY_H
#define PROBE_PAGES_PROFILE_REPLY_H

#include "probe/http/reply.h"

/* Replies with the contents of `buffer`, and empties it. If `error` or the buffer's own
 * error is not 0, replies why there is no profile. */
void probe_profile_reply(struct reply *reply, const char *type, int error,
                         struct buffer *buffer);

/* Whether a difference over seconds is wanted as text, which it has not; if so, replies
 * 400. */
bool probe_profile_text_refused(struct reply *reply, bool as_text, bool over_seconds);

/* Replies 503, or 501 if it never can: the profile could not be taken, because of
 * `error`
 * (-errno). -ESRCH is that of probe_proc_check. */
void probe_profile_refuse(struct reply *reply, int error);

#endif
