/*
 * What the readers of the profile texts share: lines, numbers, stacks, comments,
 * mappings. Nothing here trusts its input.
 */
#ifndef LEAKCHECK_MEASURE_PROFILE_TEXT_H
#define LEAKCHECK_MEASURE_PROFILE_TEXT_H

#include "leakcheck/measure/profile.h"

#define STACK_DEPTH_MAX 512

/* A part of the text, not ended by '\0'. */
struct span {
    const char *at;
    const char *end;
};

/* A profile that is being read. */
struct profile_reader {
    const char *kind; /* "heap" or "thread", for messages */
    struct span rest;
    unsigned line; /* the number of the line read last */
    struct profile profile;
    size_t record_capacity;
    size_t mapping_capacity;
    size_t frame_capacity; /* of the newest record's frames */
    size_t frame_count;    /* of all records */
    size_t address_count;  /* of all records */
};

/* Cuts the next line off; false at the end of the text. */
bool reader_next_line(struct profile_reader *reader, struct span *ret_line);

/* Read one thing at the front of `span` and step over it and the blanks before it;
 * false, and nothing stepped over, if it isn't there. */
bool span_word(struct span *span, const char *word);
bool span_number(struct span *span, int64_t *ret_number);
bool span_address(struct span *span, uint64_t *ret_address);

/* Steps over blanks; true if nothing else is left. */
bool span_blank(struct span *span);

bool span_starts(struct span span, const char *word);

/* Reads "0x1 0x2 ..." to the end of the line into a new record. Returns 0, -EPROTO if
 * the line holds anything else, -E2BIG if the profile has too many, or -ENOMEM. */
int reader_add_record(struct profile_reader *reader, struct span line,
                      const struct amounts *amounts);

/* Reads a comment "#\t0x1\tfunction+0x2\tfile:line" into the newest record; comments
 * of any other form are passed over. Returns 0, -E2BIG or -ENOMEM. */
int reader_add_comment(struct profile_reader *reader, struct span line);

/* Reads lines of /proc/self/maps up to the end of the text; what is no such line, or
 * not in the order of the addresses, is passed over. Returns 0, -E2BIG or -ENOMEM. */
int reader_add_mappings(struct profile_reader *reader);

/* Says why the line read last ended the reading with `error`, -EPROTO, -E2BIG or
 * -ENOMEM. Returns -EPROTO or -ENOMEM. */
int reader_refuse(const struct profile_reader *reader, int error,
                  struct failure *failure);

/* Says that the first line is not such a profile's; returns -EPROTO. `start` is how
 * such a profile begins: a text that begins so has a number that cannot be read. */
int reader_refuse_start(const struct profile_reader *reader, struct span text,
                        const char *start, struct failure *failure);

/* Adds `more` to `sum`; no sum exceeds AMOUNT_MAX. */
void amounts_add(struct amounts *sum, const struct amounts *more);

/* Ends the reading. If `error` is 0, brings the records into order, joins those with
 * equal stacks, and hands the profile over; returns -EPROTO if an amount is too large
 * to work with. Otherwise releases the profile and returns `error`, whose reason
 * *failure already has. */
int reader_deliver(struct profile_reader *reader, int error,
                   struct profile *ret_profile, struct failure *failure);

#endif
