/*
 * Each kind of scenario has its own proof of a leak: what is left, what is held, or
 * what is allocated. A fix must leave nothing, and hold or allocate little.
 */
#include "leakcheck/judge/verdict.h"

#include <stdio.h>
#include <string.h>

#include "leakcheck/judge/measured.h"

/* Fractions of the declared amounts. */
#define NOISE_PART 0.02 /* churn: less growth of in-use than this is flat */
#define PEAK_SHOWN 0.8  /* samples may miss the highest point */
#define PEAK_LEFT 0.2   /* a fix may hold or allocate this much */

enum resource verdict_resource(const struct scenario_info *info)
{
    static const enum resource order[] = {RESOURCE_THREADS, RESOURCE_TIMERS,
                                          RESOURCE_FDS, RESOURCE_RSS};
    const struct resources *amounts =
        info->kind == KIND_TEMPORARY ? &info->holds : &info->leaves;
    if (info->kind == KIND_CHURN) {
        return RESOURCE_TOTAL;
    }
    for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
        if (amounts->amount[order[i]] > 0) {
            return order[i];
        }
    }
    return RESOURCE_HEAP;
}

double verdict_declared(const struct trial *trial, enum resource resource)
{
    const struct scenario_info *info = trial->info;
    if (info->kind == KIND_CHURN) {
        return resource == RESOURCE_TOTAL ? (double)info->allocates_bytes : 0;
    }
    if (info->kind == KIND_TEMPORARY) {
        return (double)info->holds.amount[resource];
    }
    return (double)trial->declared.amount[resource];
}

double verdict_measured(const struct trial *trial, enum resource resource)
{
    if (trial->info->kind == KIND_TEMPORARY) {
        return (double)trial_peak_least(trial, resource);
    }
    if (resource == RESOURCE_TOTAL ||
        (resource == RESOURCE_HEAP && trial->declared.amount[RESOURCE_HEAP] > 0)) {
        return trial->heap_per_call;
    }
    return trial->fits[resource].slope;
}

/* What a call of churn allocates, libraries included: it is not a fix if a library
 * allocates instead. */
static double churn_remaining(const struct trial *trial)
{
    return trial->heap_per_call + trial->library_per_call;
}

double verdict_remaining(const struct trial *trial, enum resource resource)
{
    if (trial->info->kind == KIND_TEMPORARY) {
        return (double)trial_peak_most(trial, resource);
    }
    if (resource == RESOURCE_HEAP) {
        return trial_heap_growth(trial);
    }
    return resource == RESOURCE_TOTAL ? churn_remaining(trial)
                                      : trial->fits[resource].slope;
}

static enum picture picture_of(const struct trial *trial)
{
    static const struct {
        enum resource resource;
        enum picture picture;
    } climbs[] = {{RESOURCE_THREADS, PICTURE_THREADS},
                  {RESOURCE_TIMERS, PICTURE_TIMERS},
                  {RESOURCE_FDS, PICTURE_FDS}};
    for (size_t i = 0; i < sizeof(climbs) / sizeof(climbs[0]); i++) {
        if (trial->fits[climbs[i].resource].grew_every_round) {
            return climbs[i].picture;
        }
    }
    const struct fit *heap = &trial->fits[RESOURCE_HEAP];
    /* The trial of churn blames allocated bytes, not bytes in use. So if other threads
     * allocate all the time, the growth of in-use cannot be assigned to this
     * scenario. */
    bool unknown =
        trial->info->kind == KIND_CHURN && trial->samples[0].heap_grows_alone;
    if (!unknown && heap->grew_every_round && trial_heap_growth(trial) > NOISE_BYTES) {
        return PICTURE_LEAK;
    }
    return trial->info->kind == KIND_CHURN && trial->heap_per_call > CHURN_BYTES
               ? PICTURE_CHURN
               : PICTURE_FLAT;
}

static bool is_near(double ratio)
{
    return ratio >= RATIO_MIN && ratio <= RATIO_MAX;
}

/* Checks one resource that the leaky half should leave behind. */
static bool growth_is_shown(const struct trial *trial, enum resource resource,
                            struct finding *finding)
{
    double declared = verdict_declared(trial, resource);
    double measured = verdict_measured(trial, resource);
    double ratio = ratio_of(measured, declared);
    bool steady = trial->fits[resource].grew_every_round;
    /* If threads allocate by themselves, the total does not belong to one scenario. */
    bool restless = resource == RESOURCE_HEAP && trial->samples[0].heap_grows_alone;
    if (!steady && !restless) {
        snprintf(finding->reason, sizeof(finding->reason),
                 "%s did not grow in every round", resource_name(resource));
        return false;
    }
    if (!is_near(ratio)) {
        /* What libraries took is told apart, and is no part of `measured`. */
        snprintf(finding->reason, sizeof(finding->reason),
                 "%s%s grew by %.2f a call, declared are %.0f",
                 resource == RESOURCE_HEAP ? "its own " : "", resource_name(resource),
                 measured, declared);
        return false;
    }
    return true;
}

/* Whether the profile blames the function that the scenario names as its suspect. */
static bool blame_is_right(const struct trial *trial, struct finding *finding)
{
    const char *suspect = trial->info->suspect;
    if (suspect[0] == '\0' || strcmp(suspect, trial->heap.function) == 0) {
        return true;
    }
    snprintf(finding->reason, sizeof(finding->reason),
             "the heap profile blames %.50s, not %.50s",
             trial->heap.function[0] == '\0' ? "nobody" : trial->heap.function,
             suspect);
    return false;
}

static bool permanent_is_shown(const struct trial *trial, struct finding *finding)
{
    for (int resource = RESOURCE_HEAP; resource <= RESOURCE_TIMERS; resource++) {
        if (trial->declared.amount[resource] > 0 &&
            !growth_is_shown(trial, (enum resource)resource, finding)) {
            return false;
        }
    }
    double expected = (double)trial->info->growth_bytes_per_second;
    if (expected > 0 && (trial->rate < expected / 2 || trial->rate > expected * 2)) {
        snprintf(finding->reason, sizeof(finding->reason),
                 "each thread adds %.0f bytes a second, declared are %.0f", trial->rate,
                 expected);
        return false;
    }
    return blame_is_right(trial, finding);
}

static bool peak_is_shown(const struct trial *trial, struct finding *finding)
{
    for (int resource = RESOURCE_HEAP; resource <= RESOURCE_RSS; resource++) {
        double declared = (double)trial->info->holds.amount[resource];
        double peak = (double)trial_peak_least(trial, (enum resource)resource);
        if (declared > 0 && peak < declared * PEAK_SHOWN) {
            snprintf(finding->reason, sizeof(finding->reason),
                     "a call's peak of %s was %.0f, declared are %.0f",
                     resource_name((enum resource)resource), peak, declared);
            return false;
        }
    }
    return true;
}

/* The blamed file itself must allocate what is declared: if other code allocates the
 * bytes, the ratio is too low. */
static bool churn_is_shown(const struct trial *trial, struct finding *finding)
{
    double declared = (double)trial->info->allocates_bytes;
    double ratio = ratio_of(trial->heap_per_call, declared);
    if (!is_near(ratio)) {
        snprintf(finding->reason, sizeof(finding->reason),
                 "a call allocates %.0f bytes, declared are %.0f", trial->heap_per_call,
                 declared);
        return false;
    }
    if (trial->fits[RESOURCE_HEAP].slope > declared * NOISE_PART &&
        !trial->samples[0].heap_grows_alone) {
        snprintf(finding->reason, sizeof(finding->reason), "in-use is not flat");
        return false;
    }
    return blame_is_right(trial, finding);
}

/* Where nothing is declared, nothing can be shown, whatever was measured. */
static bool nothing_is_declared(const struct trial *trial, struct finding *finding)
{
    enum resource resource = verdict_resource(trial->info);
    if (verdict_declared(trial, resource) > 0) {
        return false;
    }
    finding->clear = true;
    snprintf(finding->reason, sizeof(finding->reason),
             "no %s is declared, so there is nothing to show", resource_name(resource));
    return true;
}

struct finding verdict_leaky(const struct trial *trial)
{
    struct finding finding = {.picture = picture_of(trial)};
    enum resource resource = verdict_resource(trial->info);
    finding.ratio =
        ratio_of(verdict_measured(trial, resource), verdict_declared(trial, resource));
    if (nothing_is_declared(trial, &finding)) {
        return finding;
    }
    switch (trial->info->kind) {
    case KIND_TEMPORARY:
        finding.good = peak_is_shown(trial, &finding);
        finding.picture = finding.good ? PICTURE_PEAK : finding.picture;
        break;
    case KIND_CHURN:
        finding.good = churn_is_shown(trial, &finding);
        break;
    default:
        finding.good = permanent_is_shown(trial, &finding);
    }
    finding.clear = finding.good || finding.picture == PICTURE_FLAT;
    return finding;
}

/* Growth of the resident set per call that is not a leak: a table that was allocated at
 * the start gets its pages only when it is filled. */
#define RESIDENT_NOISE_BYTES 8192

/* Mappings per call: a leak has one a call or more, except for neighbours that the
 * kernel joins; those are seen in the resident set. */
#define MAPPINGS_NOISE 0.5

/* Notes what the fixed half still leaves, holds or allocates. */
static void over_set(struct finding *finding, enum resource resource, double per_call)
{
    finding->over = resource;
    finding->over_per_call = per_call;
}

/* Memory that no heap profile sees, such as a mapping, is found only here. */
static bool resident_stays(const struct trial *trial, struct finding *finding)
{
    const struct fit *resident = &trial->fits[RESOURCE_RSS];
    if (!resident->grew_every_round || resident->slope <= RESIDENT_NOISE_BYTES) {
        return true;
    }
    finding->clear = false; /* the resident set moves by itself, so try again */
    snprintf(finding->reason, sizeof(finding->reason),
             "resident set grew by %.0f bytes a call in every round", resident->slope);
    over_set(finding, RESOURCE_RSS, resident->slope);
    return false;
}

/* What the scenario's own code keeps is its own, also while other code gives back as
 * much and the sum is flat. */
static bool own_heap_stays(const struct trial *trial, double noise,
                           struct finding *finding)
{
    if (!trial->heap.own || trial->info->kind == KIND_CHURN ||
        trial->heap_per_call <= noise) {
        return true;
    }
    finding->clear = false; /* two profiles tell it, not each round */
    snprintf(finding->reason, sizeof(finding->reason),
             "%.50s keeps %.0f bytes a call, while other heap shrank",
             trial->heap.function, trial->heap_per_call);
    over_set(finding, RESOURCE_HEAP, trial->heap_per_call);
    return false;
}

/* Counts must be the same as before. */
static bool counts_stay(const struct trial *trial, struct finding *finding)
{
    static const enum resource counts[] = {RESOURCE_THREADS, RESOURCE_FDS,
                                           RESOURCE_TIMERS, RESOURCE_CHILDREN};
    finding->clear = true;
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        const struct fit *fit = &trial->fits[counts[i]];
        if (fit->change > 0) {
            finding->clear = fit->grew_every_round;
            snprintf(finding->reason, sizeof(finding->reason),
                     "%s grew by %.2f a call and did not come back",
                     resource_name(counts[i]), fit->slope);
            over_set(finding, counts[i], fit->slope);
            return false;
        }
    }
    return true;
}

/* Mappings come and go with arenas and with the stacks of threads, which the C library
 * keeps for later ones. Those that come in every round, about one for each call, stay.
 */
static bool mappings_stay(const struct trial *trial, struct finding *finding)
{
    const struct fit *mappings = &trial->fits[RESOURCE_MAPPINGS];
    if (!mappings->grew_every_round || mappings->slope < MAPPINGS_NOISE) {
        return true;
    }
    finding->clear = false; /* they also move by themselves, so try again */
    snprintf(finding->reason, sizeof(finding->reason),
             "mappings grew by %.2f a call in every round", mappings->slope);
    over_set(finding, RESOURCE_MAPPINGS, mappings->slope);
    return false;
}

/* Counts must be the same as before. The heap may grow by a little, but not in every
 * round. */
static bool stays_flat(const struct trial *trial, struct finding *finding)
{
    if (!counts_stay(trial, finding)) {
        return false;
    }
    int64_t threads = trial->declared.amount[RESOURCE_THREADS];
    double noise = NOISE_BYTES + (double)threads * THREAD_COST_BYTES;
    const struct fit *heap = &trial->fits[RESOURCE_HEAP];
    bool restless = trial->samples[0].heap_grows_alone;
    double growth = trial_heap_growth(trial);
    /* Every byte is counted: growth in each round is a leak, even if it is small. */
    bool creeps = !restless && threads == 0 && heap->grew_every_round;
    if (!(restless && trial->info->kind == KIND_CHURN) && (creeps || growth > noise)) {
        finding->clear = heap->grew_every_round && growth > noise;
        snprintf(finding->reason, sizeof(finding->reason),
                 "heap grew by %.0f bytes a call and did not come back", growth);
        over_set(finding, RESOURCE_HEAP, growth);
        return false;
    }
    return own_heap_stays(trial, noise, finding);
}

/* A fix may hold a part of what the bug holds. Counts come first, because a descriptor
 * or a thread has memory of its own. */
static bool peak_is_low(const struct trial *trial, struct finding *finding)
{
    static const enum resource order[] = {RESOURCE_THREADS, RESOURCE_FDS,
                                          RESOURCE_TIMERS, RESOURCE_RSS, RESOURCE_HEAP};
    for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
        double held = (double)trial->info->holds.amount[order[i]];
        double peak = (double)trial_peak_most(trial, order[i]);
        if (held > 0 && peak > held * PEAK_LEFT) {
            snprintf(finding->reason, sizeof(finding->reason),
                     "a call's peak of %s is still %.0f", resource_name(order[i]),
                     peak);
            over_set(finding, order[i], peak);
            return false;
        }
    }
    return true;
}

struct finding verdict_fixed(const struct trial *trial)
{
    struct finding finding = {.picture = picture_of(trial)};
    finding.good = stays_flat(trial, &finding);
    const struct scenario_info *info = trial->info;
    if (info->kind == KIND_TEMPORARY) {
        finding.good = finding.good && measured_peak(trial, &finding) &&
                       peak_is_low(trial, &finding);
    }
    if (finding.good && info->kind == KIND_CHURN &&
        churn_remaining(trial) > (double)info->allocates_bytes * PEAK_LEFT) {
        finding.good = false;
        snprintf(finding.reason, sizeof(finding.reason),
                 "a call still allocates %.0f bytes", churn_remaining(trial));
        over_set(&finding, RESOURCE_TOTAL, churn_remaining(trial));
    }
    /* Last, because other reasons tell more. */
    finding.good = finding.good && resident_stays(trial, &finding) &&
                   mappings_stay(trial, &finding) && measured_whole(trial, &finding);
    enum resource resource = verdict_resource(info);
    finding.ratio =
        ratio_of(verdict_measured(trial, resource), verdict_declared(trial, resource));
    return finding;
}
