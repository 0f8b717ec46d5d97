/*
 * Whether a trial has measured what a fix must not leave or hold. If not, nothing is
 * said to hold: "not measured" is the verdict.
 */
#ifndef LEAKCHECK_JUDGE_MEASURED_H
#define LEAKCHECK_JUDGE_MEASURED_H

#include "leakcheck/judge/verdict.h"

/* Whether all that must not stay was counted in every sample. If not, the
 * finding says which was not, and why. */
bool measured_whole(const struct trial *trial, struct finding *finding);

/* The same of what each call of a temporary scenario held. */
bool measured_peak(const struct trial *trial, struct finding *finding);

#endif
