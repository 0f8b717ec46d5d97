/*
 * The picture: what a person sees on a graph of the server, in one of eight words.
 */
#ifndef LEAKCHECK_JUDGE_PICTURE_H
#define LEAKCHECK_JUDGE_PICTURE_H

#include "base/size.h"

/* Heap bytes per call. */
#define NOISE_BYTES KIB /* growth that is no leak: a table grew, a log wrapped */
#define CHURN_BYTES MIB /* allocated: more than that is fast */

/* What a graph of the server would show. */
enum picture {
    PICTURE_FLAT,     /* nothing climbs by more than noise */
    PICTURE_LEAK,     /* in-use climbs */
    PICTURE_THREADS,  /* the threads climb, and stay */
    PICTURE_FDS,      /* the descriptors climb */
    PICTURE_TIMERS,   /* the timers climb */
    PICTURE_CHURN,    /* total climbs fast, in-use is flat */
    PICTURE_PEAK,     /* high during the call, back after it */
    PICTURE_RESIDENT, /* the resident set climbs, and no heap profile shows it */
};

/* A sentence for a person, two words for a table, and one for scripts. */
const char *picture_sentence(enum picture picture);
const char *picture_name(enum picture picture);
const char *picture_word(enum picture picture);

#endif
