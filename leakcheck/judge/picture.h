/*
 * The picture: what a person would see in a graph of the server, as one of ten words.
 */
#ifndef LEAKCHECK_JUDGE_PICTURE_H
#define LEAKCHECK_JUDGE_PICTURE_H

#include "base/size.h"

/* Heap bytes per call. */
#define NOISE_BYTES KIB /* less is not a leak: for example, a table grew */
#define CHURN_BYTES MIB /* allocating more is churn */

/* What a graph of the server would show. */
enum picture {
    PICTURE_FLAT,     /* nothing grows by more than noise */
    PICTURE_LEAK,     /* bytes in use grow */
    PICTURE_THREADS,  /* threads grow, and stay */
    PICTURE_FDS,      /* descriptors grow */
    PICTURE_TIMERS,   /* timers grow */
    PICTURE_CHURN,    /* bytes allocated grow fast, bytes in use are flat */
    PICTURE_PEAK,     /* high during the call, back after it */
    PICTURE_RESIDENT, /* the resident set grows, and no heap profile shows it */
    PICTURE_MAPPINGS, /* mappings grow, and nothing above does */
    PICTURE_CHILDREN, /* child processes grow */
};

/* The picture as a sentence, as two words for a table, and as one word for scripts. */
const char *picture_sentence(enum picture picture);
const char *picture_name(enum picture picture);
const char *picture_word(enum picture picture);

#endif
