/*
 * Functions that the parsers share: lines, numbers, stacks, comments, mappings. The
 * input is not trusted.
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

/* The state of a parser. */
struct profile_reader {
    const char *kind; /* "heap" or "thread", for messages */
    struct span rest;
    unsigned line; /* number of the last line that was read */
    struct profile profile;
    size_t record_capacity;
    size_t mapping_capacity;
    size_t frame_capacity; /* of the last record's frames */
    size_t frame_count;    /* of all records */
    size_t address_count;  /* of all records */
};

/* Reads the next line; false at the end of the text. */
bool reader_next_line(struct profile_reader *reader, struct span *ret_line);

/* Skip blanks, read one item at the start of `span`, and move the span after it. If
 * there is no such item, return false and do not move the span. */
bool span_word(struct span *span, const char *word);
bool span_number(struct span *span, int64_t *ret_number);
bool span_address(struct span *span, uint64_t *ret_address);

/* Skips blanks; true if nothing else is left. */
bool span_blank(struct span *span);

/* Whether the text begins with `word`; the span does not move. */
bool span_starts(struct span span, const char *word);

/* Reads "0x1 0x2 ..." up to the end of the line into a new record. Returns 0, -EPROTO
 * if the line has anything else, -E2BIG if the profile has too many records or
 * addresses, or -ENOMEM. */
int reader_add_record(struct profile_reader *reader, struct span line,
                      const struct amounts *amounts);

/* Reads a comment "#\t0x1\tfunction+0x2\tfile:line" into the last record; ignores
 * comments of other forms. Returns 0, -E2BIG or -ENOMEM. */
int reader_add_comment(struct profile_reader *reader, struct span line);

/* Reads lines of /proc/self/maps up to the end of the text. Ignores other lines, and
 * lines that are not sorted by address. Returns 0, -E2BIG or -ENOMEM. */
int reader_add_mappings(struct profile_reader *reader);

/* Writes why the last line stopped the parser; `error` is -EPROTO, -E2BIG or -ENOMEM.
 * Returns -EPROTO or -ENOMEM. */
int reader_refuse(const struct profile_reader *reader, int error,
                  struct failure *failure);

/* Writes that the first line is wrong; returns -EPROTO. `start` is how such a profile
 * begins: if the text begins so, a number in the line cannot be read. */
int reader_refuse_start(const struct profile_reader *reader, struct span text,
                        const char *start, struct failure *failure);

/* Adds `more` to `sum`; each result is at most AMOUNT_MAX. */
void amounts_add(struct amounts *sum, const struct amounts *more);

/* Ends the parsing. If `error` is 0, sorts the records, joins those with equal stacks,
 * and moves the profile to *ret_profile; returns 0, or -EPROTO if an amount is too
 * large. If `error` is not 0, releases the profile and returns `error`; *failure must
 * already have the reason. */
int reader_deliver(struct profile_reader *reader, int error,
                   struct profile *ret_profile, struct failure *failure);

#endif
