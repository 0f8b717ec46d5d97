/*
 * What the pages of all profiles share: sending one, or saying why there is none.
 */
#ifndef PROBE_PAGES_PROFILE_REPLY_H
#define PROBE_PAGES_PROFILE_REPLY_H

#include "probe/http/reply.h"

/* Replies with what was written to `buffer`, and leaves that empty; or, if `error` (or
 * the buffer's) is not 0, with why it could not be written. */
void probe_profile_reply(struct reply *reply, const char *type, int error,
                         struct buffer *buffer);

/* 503: the profile could not be taken, because of `error`. */
void probe_profile_refuse(struct reply *reply, int error);

#endif
