/*
 * The verdict on a trial: was the leak shown, does the fix hold, and which picture
 * would a graph show?
 */
#ifndef LEAKCHECK_JUDGE_VERDICT_H
#define LEAKCHECK_JUDGE_VERDICT_H

#include "leakcheck/judge/picture.h"
#include "leakcheck/judge/trial.h"

/* The result of one trial. */
struct finding {
    bool good;       /* leaky half: the leak was shown; fixed half: nothing stays */
    bool unmeasured; /* fixed half: not good, as not enough is known of `over` */
    bool clear;      /* another attempt would give the same result */
    enum picture picture;
    double ratio;     /* measured / declared, of verdict_resource */
    char reason[160]; /* why it is not good; "" if it is */
    /* Fixed half, not good: what it still leaves, holds or allocates, and how much of
     * it per call; or what was not measured. */
    enum resource over;
    double over_per_call;
};

/* The allowed range of measured / declared. */
#define RATIO_MIN 0.98
#define RATIO_MAX 1.02

/* The verdict on a trial of the leaky or of the fixed half. */
struct finding verdict_leaky(const struct trial *trial);
struct finding verdict_fixed(const struct trial *trial);

/* The resource that a scenario is about: the first of threads, timers, descriptors and
 * heap that a call leaves (temporary: holds; churn: allocates). */
enum resource verdict_resource(const struct scenario_info *info);

/* The growth per call of that resource: as measured, and as declared. */
double verdict_measured(const struct trial *trial, enum resource resource);
double verdict_declared(const struct trial *trial, enum resource resource);

/* What the fixed half still leaves, holds or allocates per call. */
double verdict_remaining(const struct trial *trial, enum resource resource);

#endif
