/*
 * Who made what grew, and what is proved of stuck threads, in words.
 */
#ifndef LEAKCHECK_REPORT_MADE_TEXT_H
#define LEAKCHECK_REPORT_MADE_TEXT_H

#include "leakcheck/judge/proof.h"
#include "leakcheck/measure/resource.h"

/* Returned by value: it lives on the stack of the caller. */
struct made_text {
    char at[800];
};

/* How a thing of this resource is made: "opened in", "started in", "mapped in". */
const char *made_text_verb(enum resource resource);

/* Whether something is known of who made it: a line, or that nobody saw it. */
bool made_text_is_known(const struct blame *made);

/* "record_open leaky/file_unclosed.c:40 (100 %)". Where a part was made unseen, that is
 * said: "(40 %, 60 % made unseen)"; of all of it, only "made unseen (100 %)". */
struct made_text made_text(const struct blame *made);

/* The same after its verb: "opened in record_open ...", "descriptors made unseen (100
 * %)". */
struct made_text made_text_phrase(enum resource resource, const struct blame *made);

/* "proved: deadlock of 2 threads, leaky/lock_deadlock.c:74 and :81"; where that is not
 * all of what grew, " (3 of 4 threads)" follows. "" if nothing is proved. */
struct made_text made_text_proof(const struct proof *proof);

/* The words of JSON for what is proved: "deadlock", "never_released". */
const char *made_text_proof_word(enum proof_kind kind);

/* Where threads wait: "leaky/lock_deadlock.c:74", or a function without a file. */
struct made_text made_text_place(const struct proof_place *place);

#endif
