/*
 * The growth of the resources decides the picture. If none grew, the profiles show
 * whether much memory was allocated and freed.
 */
#include "leakcheck/judge/gate_blame.h"

#include "leakcheck/judge/source_tree.h"
#include "leakcheck/measure/binary.h"
#include "leakcheck/measure/names.h"
#include "leakcheck/measure/own_pages.h"

/* Chooses the picture: from the resources over their limits, or else from growth below
 * the limits. */
static void picture_choose(struct gate *gate)
{
    static const struct {
        enum resource resource;
        enum picture picture;
    } climbs[] = {
        {RESOURCE_THREADS, PICTURE_THREADS},  {RESOURCE_TIMERS, PICTURE_TIMERS},
        {RESOURCE_FDS, PICTURE_FDS},          {RESOURCE_CHILDREN, PICTURE_CHILDREN},
        {RESOURCE_HEAP, PICTURE_LEAK},        {RESOURCE_RSS, PICTURE_RESIDENT},
        {RESOURCE_MAPPINGS, PICTURE_MAPPINGS}};
    gate->picture = PICTURE_FLAT;
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < sizeof(climbs) / sizeof(climbs[0]); i++) {
            enum resource resource = climbs[i].resource;
            const struct gate_resource *judged = &gate->resources[resource];
            bool bytes = resource_is_bytes(resource);
            bool climbs_on = judged->measured && judged->fit.grew_every_round &&
                             judged->fit.slope > (bytes ? NOISE_BYTES : 0);
            if (judged->over || (pass == 1 && climbs_on)) {
                gate->picture = climbs[i].picture;
                return;
            }
        }
    }
}

/* The first path of --own that is on no stack: it may be misspelt, and other code would
 * silently get the blame. */
static const char *own_missed(const struct blame_own *own,
                              const struct gate_profiles *profiles)
{
    for (size_t i = 0; i < own->count; i++) {
        if (!blame_meets(&profiles->heap_last, own->paths[i]) &&
            !blame_meets(&profiles->threads_last, own->paths[i])) {
            return own->paths[i];
        }
    }
    return NULL;
}

/* Gives the profiles names; Go's have them already. */
static int names_find(struct gate *gate, struct gate_profiles *profiles,
                      struct failure *failure)
{
    if (gate->server.is_go) {
        return 0;
    }
    int error = server_name_functions(&gate->server, &profiles->threads_last, failure);
    return error == 0
               ? server_name_functions(&gate->server, &profiles->heap_last, failure)
               : error;
}

/* Finds the code that made the heap and the threads that stayed. */
static int growth_blame(struct gate *gate, const struct blame_own *own,
                        const struct gate_profiles *profiles, struct failure *failure)
{
    const struct blame_question heap = {.what = BLAME_IN_USE,
                                        .own = *own,
                                        .base = &profiles->heap_base,
                                        .last = &profiles->heap_last};
    const struct blame_question wait = {.what = BLAME_THREADS,
                                        .own = *own,
                                        .base = &profiles->threads_base,
                                        .last = &profiles->threads_last};
    int error = blame_find(&gate->resources[RESOURCE_HEAP].blame, &heap, failure);
    return error == 0
               ? blame_find(&gate->resources[RESOURCE_THREADS].blame, &wait, failure)
               : error;
}

/* Finds the code that allocated most, freed or not. It is churn if it is much and
 * nothing grows. */
static int churn_blame(struct gate *gate, const struct blame_own *own,
                       const struct gate_profiles *profiles, struct failure *failure)
{
    const struct blame_question question = {.what = BLAME_ALLOCATED,
                                            .own = *own,
                                            .base = &profiles->heap_base,
                                            .last = &profiles->heap_last,
                                            .idle_from = &profiles->heap_idle,
                                            .idle_to = &profiles->heap_base};
    struct blame allocated = {0};
    int error = blame_find(&allocated, &question, failure);
    if (error < 0 || !gate->counts_allocations) {
        return error;
    }
    int64_t calls = gate->samples[gate->sample_count - 1].calls;
    int64_t bytes = allocated.growth > 0 ? allocated.file_growth : allocated.total;
    gate->total_per_call = (double)bytes / (double)calls;
    if (gate->picture == PICTURE_FLAT && gate->total_per_call > CHURN_BYTES) {
        gate->picture = PICTURE_CHURN;
        gate->resources[RESOURCE_HEAP].blame = allocated;
    }
    return 0;
}

/* Finds out who holds what grew. */
static int held_judge(struct gate *gate, const struct blame_own *own,
                      const struct gate_profiles *profiles, struct failure *failure)
{
    const struct blame *blame = &gate->resources[RESOURCE_HEAP].blame;
    struct held_places places;
    struct profile last;
    if (blame->growth <= 0 || gate->picture == PICTURE_FLAT ||
        gate->picture == PICTURE_CHURN) {
        return 0;
    }
    if (!own_retained_try(&gate->server, &last)) {
        held_refuse(&gate->held, gate->server.own_pages[OWN_RETAINED].reason);
        return 0;
    }
    int error = held_places_list(&places, blame, *own, &profiles->heap_base,
                                 &profiles->heap_last, failure);
    if (error == 0) {
        error =
            held_find(&gate->held, &places, &profiles->retained_base, &last, failure);
        held_places_release(&places);
    }
    profile_release(&last);
    return error;
}

/* Whether it is worth asking who made what grew. */
static bool has_grown(const struct gate *gate, enum resource resource)
{
    const struct gate_resource *judged = &gate->resources[resource];
    return judged->measured && judged->fit.change > 0;
}

/* Leaves the directory in which the program was built out of a file's name. */
static void file_shorten(char *file, const struct profile *whole,
                         const struct gate_profiles *profiles)
{
    source_tree_leave_out(file, whole, &profiles->heap_last);
    source_tree_leave_out(file, whole, &profiles->threads_last);
}

/* Finds out what is proved of the threads that grew. */
static int threads_prove(struct gate *gate, const struct blame_own *own,
                         struct gate_profiles *profiles, struct failure *failure)
{
    int error = proof_find(&gate->proof, &profiles->proof, &gate->server, *own,
                           gate->resources[RESOURCE_THREADS].fit.change, failure);
    for (int kind = 0; kind < PROOF_KINDS; kind++) {
        struct proof_part *part = &gate->proof.parts[kind];
        for (size_t i = 0; i < part->place_count; i++) {
            file_shorten(part->places[i].file, &profiles->proof.stuck, profiles);
        }
    }
    return error;
}

/* Finds out who made what grew, and what is proved of the threads. */
static int made_judge(struct gate *gate, const struct blame_own *own,
                      struct gate_profiles *profiles, struct failure *failure)
{
    struct gate_resource *judged = gate->resources;
    struct gate_resource *threads = &judged[RESOURCE_THREADS];
    int error = 0;
    if (judged[RESOURCE_RSS].over && !judged[RESOURCE_HEAP].over) {
        error = made_find_bytes(&judged[RESOURCE_RSS].blame, &profiles->made,
                                &gate->server, *own, failure);
    }
    for (size_t i = 0; i < made_resource_count && error == 0; i++) {
        enum resource resource = made_resources[i];
        struct gate_resource *grown = &judged[resource];
        struct blame *made = grown == threads ? &threads->made : &grown->blame;
        if (has_grown(gate, resource)) {
            error = made_find(made, &profiles->made, &gate->server, resource, *own,
                              failure);
            file_shorten(made->file, &profiles->made.at[resource], profiles);
        }
    }
    return error == 0 && has_grown(gate, RESOURCE_THREADS)
               ? threads_prove(gate, own, profiles, failure)
               : error;
}

void gate_bases_take(struct gate *gate, struct gate_profiles *profiles)
{
    own_retained_try(&gate->server, &profiles->retained_base);
    for (size_t i = 0; i < made_resource_count; i++) {
        made_base_take(&profiles->made, &gate->server, made_resources[i]);
    }
    proof_base_take(&profiles->proof, &gate->server);
}

/* Where the compiler has put functions into each other, the symbol table knows only the
 * outermost, and the line table the place in the innermost. The debug information of
 * the program's file knows all. */
static void inlined_find(const struct gate *gate, const struct blame_own *own,
                         struct profile *profile, struct blame *blame)
{
    struct frame frames[INLINED_MOST];
    if (blame->growth <= 0 || blame->address == 0 || blame->line == 0 ||
        gate->server.binary == NULL || gate->server.is_go) {
        return;
    }
    /* A return address is after its call. */
    uint64_t call = blame->address - 1;
    struct binary *binary = binary_create(gate->server.binary, profile, call);
    size_t count = binary_inlined(binary, profile, call, frames, INLINED_MOST);
    binary_destroy(binary);
    blame_refine(blame, frames, count, own);
}

int gate_blame(struct gate *gate, const struct blame_own *own,
               struct gate_profiles *profiles, struct failure *failure)
{
    picture_choose(gate);
    int error = names_find(gate, profiles, failure);
    if (error == 0) {
        gate->own_missed = own_missed(own, profiles);
        error = growth_blame(gate, own, profiles, failure);
    }
    if (error == 0) {
        error = churn_blame(gate, own, profiles, failure);
    }
    if (error == 0) {
        error = held_judge(gate, own, profiles, failure);
    }
    if (error == 0) {
        error = made_judge(gate, own, profiles, failure);
    }
    if (error == 0) {
        inlined_find(gate, own, &profiles->heap_last,
                     &gate->resources[RESOURCE_HEAP].blame);
        inlined_find(gate, own, &profiles->threads_last,
                     &gate->resources[RESOURCE_THREADS].blame);
    }
    return error;
}
