/*
 * The verdict on a trial: was the leak shown, does the fix hold, and which picture does
 * a graph show?
 */
#ifndef LEAKCHECK_JUDGE_VERDICT_H
#define LEAKCHECK_JUDGE_VERDICT_H

#include "leakcheck/judge/picture.h"
#include "leakcheck/judge/trial.h"

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

#endif
