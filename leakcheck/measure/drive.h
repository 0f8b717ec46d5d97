/*
 * Drives a server: makes the calls to /leak that may leave something behind.
 */
#ifndef LEAKCHECK_MEASURE_DRIVE_H
#define LEAKCHECK_MEASURE_DRIVE_H

#include "leakcheck/measure/sample.h"

/* Calls /leak/<scenario> once, with a new id, and waits for the reply. `bytes` is the
 * main size (UNKNOWN: not sent). *ret_declared becomes what the call leaves according
 * to the reply; if it does not say, and needs_declared is not set, according to the
 * list of scenarios. Returns 0 or -errno. */
int drive_scenario(struct server *server, const struct scenario_info *info,
                   int64_t bytes, struct resources *ret_declared,
                   struct failure *failure);

/* What a call is made with. */
struct question {
    const char *id; /* as it is sent: percent-encoded */
    int64_t bytes;  /* the main size; UNKNOWN: not sent */
    unsigned count; /* 1: not sent */
};

/* The parameters of a question, as they are sent: "id=x&bytes=1024&count=2". */
struct question_text {
    char at[160];
};
struct question_text drive_question_text(const struct question *question);

/* Makes that call, and reads its answer. Returns 0 or -errno. */
int drive_question(struct server *server, const struct scenario_info *info,
                   const struct question *question, struct answer *ret_answer,
                   struct failure *failure);

/* Calls the scenario once on the connection `own`, with a hold time, and samples
 * `server` meanwhile. *ret_peak becomes the most that the call held, above the amounts
 * before it. Returns 0 or -errno: -ENODATA if no sample was taken during the call. */
int drive_held(struct server *server, struct http *own,
               const struct scenario_info *info, struct resources *ret_peak,
               struct failure *failure);

/* Calls the scenario like that until, while a call held at least `held` of the
 * resource, the profile of who made it was taken; the caller releases it. *ret_taken:
 * false if there is no such profile, or each call ended too early. Returns 0 or -errno.
 */
int drive_held_profile(struct server *server, struct http *own,
                       const struct scenario_info *info, enum resource resource,
                       int64_t held, struct profile *ret_profile, bool *ret_taken,
                       struct failure *failure);

#endif
