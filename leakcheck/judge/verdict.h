/*
 * The verdict: was the leak shown, does the fix hold, and which of the pictures is it
 * that a person would see on a dashboard.
 */
#ifndef LEAKCHECK_JUDGE_VERDICT_H
#define LEAKCHECK_JUDGE_VERDICT_H

#include "leakcheck/judge/trial.h"

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

/* What one trial says. */
struct finding {
    bool good;  /* leaky half: the leak was shown; fixed half: nothing stays */
    bool clear; /* another attempt would say the same */
    enum picture picture;
    double ratio;     /* measured / declared, of what `resource` says */
    char reason[160]; /* why it is not good */
};

/* The tolerance of measured / declared. */
#define RATIO_MIN 0.98
#define RATIO_MAX 1.02

struct finding verdict_leaky(const struct trial *trial);
struct finding verdict_fixed(const struct trial *trial);

/* The resource that a scenario is about: the first of threads, timers, descriptors,
 * heap that a call leaves (or holds, or allocates). */
enum resource verdict_resource(const struct scenario_info *info);

/* Growth per call of that resource, as the trial measured it; declared likewise. */
double verdict_measured(const struct trial *trial, enum resource resource);
double verdict_declared(const struct trial *trial, enum resource resource);

/* The same of the fixed half: what it still leaves, holds or allocates per call. */
double verdict_remaining(const struct trial *trial, enum resource resource);

/* A sentence for a person, two words for a table, and one for scripts. */
const char *picture_sentence(enum picture picture);
const char *picture_name(enum picture picture);
const char *picture_word(enum picture picture);

#endif
