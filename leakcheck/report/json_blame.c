#include "leakcheck/report/json_blame.h"

#include <stdio.h>

#include "leakcheck/report/held_text.h"
#include "leakcheck/report/made_text.h"

const char *const json_resource_words[RESOURCE_COUNT] = {
    [RESOURCE_HEAP] = "heap",         [RESOURCE_THREADS] = "threads",
    [RESOURCE_FDS] = "fds",           [RESOURCE_TIMERS] = "timers",
    [RESOURCE_RSS] = "rss",           [RESOURCE_MAPPINGS] = "mappings",
    [RESOURCE_CHILDREN] = "children", [RESOURCE_TOTAL] = "allocated"};

/* Who holds what the blamed line allocated; null and the reason, if that was not
 * measured. */
static void held_add(cJSON *object, const struct held *held)
{
    if (!held->measured) {
        cJSON_AddNullToObject(object, "held_by");
        cJSON_AddStringToObject(object, "held_by_reason",
                                held->reason[0] == '\0' ? "it is no leak of memory"
                                                        : held->reason);
        return;
    }
    cJSON *item = cJSON_AddObjectToObject(object, "held_by");
    cJSON_AddStringToObject(item, "holder", held->holder);
    cJSON_AddBoolToObject(item, "lost", held_is_lost(held));
    cJSON_AddNumberToObject(item, "bytes", (double)held->bytes);
    cJSON_AddNumberToObject(item, "share", held_share(held));
    cJSON_AddStringToObject(item, "words", held_text(held).at);
}

void json_blame_add(cJSON *object, const char *name, const struct blame *blame,
                    const struct held *held)
{
    if (blame->growth <= 0) {
        cJSON_AddNullToObject(object, name);
        return;
    }
    cJSON *item = cJSON_AddObjectToObject(object, name);
    cJSON_AddStringToObject(item, "function", blame->function);
    cJSON_AddStringToObject(item, "file", blame->file);
    cJSON_AddNumberToObject(item, "line", blame->line);
    cJSON_AddNumberToObject(item, "growth", (double)blame->growth);
    cJSON_AddNumberToObject(
        item, "share",
        blame->total == 0 ? 0 : (double)blame->growth / (double)blame->total);
    if (blame->unseen > 0) {
        cJSON_AddNumberToObject(item, "unseen_share",
                                (double)blame->unseen / (double)blame->total);
    }
    if (held != NULL) {
        held_add(item, held);
    }
}

void json_reason_add(cJSON *object, const char *name, const char *reason)
{
    char member[40];
    snprintf(member, sizeof(member), "%s_reason", name);
    cJSON_AddStringToObject(object, member, reason);
}

/* What is proved for one reason. */
static void part_add(cJSON *item, const struct proof_part *part, enum proof_kind kind)
{
    cJSON_AddStringToObject(item, "kind", made_text_proof_word(kind));
    if (part->together > 0) {
        cJSON_AddNumberToObject(item, "threads", (double)part->together);
    } else {
        cJSON_AddNullToObject(item, "threads");
    }
    cJSON *places = cJSON_AddArrayToObject(item, "places");
    for (size_t i = 0; i < part->place_count; i++) {
        struct made_text place = made_text_place(&part->places[i]);
        cJSON_AddItemToArray(places, cJSON_CreateString(place.at));
    }
}

void json_proof_add(cJSON *object, const struct proof *proof)
{
    const struct proof_part *first = proof_main(proof);
    if (first == NULL) {
        cJSON_AddNullToObject(object, "proved");
        if (proof->reason[0] != '\0') {
            json_reason_add(object, "proved", proof->reason);
        }
        return;
    }
    enum proof_kind kind = (enum proof_kind)(first - proof->parts);
    enum proof_kind other =
        kind == PROOF_DEADLOCK ? PROOF_NEVER_RELEASED : PROOF_DEADLOCK;
    cJSON *item = cJSON_AddObjectToObject(object, "proved");
    part_add(item, first, kind);
    if (proof->explains == UNKNOWN) {
        cJSON_AddNullToObject(item, "explains");
    } else {
        cJSON_AddNumberToObject(item, "explains", (double)proof->explains);
    }
    cJSON_AddNumberToObject(item, "grew", (double)proof->grew);
    if (proof->parts[other].threads > 0) {
        part_add(cJSON_AddObjectToObject(item, "also"), &proof->parts[other], other);
    }
    cJSON_AddStringToObject(item, "words", made_text_proof(proof).at);
}
