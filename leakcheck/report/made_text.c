#include "leakcheck/report/made_text.h"

#include <inttypes.h>
#include <string.h>

#include "leakcheck/report/text.h"

const char *made_text_verb(enum resource resource)
{
    switch (resource) {
    case RESOURCE_FDS:
        return "opened in";
    case RESOURCE_THREADS:
        return "started in";
    case RESOURCE_CHILDREN:
        return "spawned in";
    case RESOURCE_MAPPINGS:
    case RESOURCE_RSS:
        return "mapped in";
    default:
        return "made in";
    }
}

bool made_text_is_known(const struct blame *made)
{
    return made->growth > 0 || made->unseen > 0;
}

static double percent(int64_t part, int64_t whole)
{
    return whole <= 0 ? 0 : 100.0 * (double)part / (double)whole;
}

struct made_text made_text(const struct blame *made)
{
    struct made_text text = {""};
    if (made->growth <= 0) {
        text_append(text.at, sizeof(text.at), "made unseen (%.0f %%)",
                    percent(made->unseen, made->total));
        return text;
    }
    text_append(text.at, sizeof(text.at), "%.199s", made->function);
    if (made->file[0] != '\0') {
        text_append(text.at, sizeof(text.at), " %.199s:%u", made->file, made->line);
    }
    text_append(text.at, sizeof(text.at), " (%.0f %%",
                percent(made->growth, made->total));
    if (made->unseen > 0) {
        text_append(text.at, sizeof(text.at), ", %.0f %% made unseen",
                    percent(made->unseen, made->total));
    }
    text_append(text.at, sizeof(text.at), ")");
    return text;
}

struct made_text made_text_phrase(enum resource resource, const struct blame *made)
{
    struct made_text text = {""};
    text_append(text.at, sizeof(text.at), "%s %.700s",
                made->growth > 0 ? made_text_verb(resource) : resource_name(resource),
                made_text(made).at);
    return text;
}

const char *made_text_proof_word(enum proof_kind kind)
{
    return kind == PROOF_DEADLOCK ? "deadlock" : "never_released";
}

struct made_text made_text_place(const struct proof_place *place)
{
    struct made_text text = {""};
    if (place->file[0] != '\0') {
        text_append(text.at, sizeof(text.at), "%.199s:%u", place->file, place->line);
    } else {
        text_append(text.at, sizeof(text.at), "%.199s", place->function);
    }
    return text;
}

/* ", leaky/lock_deadlock.c:74 and :81": a file that is the same is not said again. */
static void places_append(struct made_text *text, const struct proof_part *part)
{
    for (size_t i = 0; i < part->place_count; i++) {
        const struct proof_place *place = &part->places[i];
        bool same = i > 0 && place->file[0] != '\0' &&
                    strcmp(place->file, part->places[i - 1].file) == 0;
        text_append(text->at, sizeof(text->at), "%s", i == 0 ? ", " : " and ");
        if (same) {
            text_append(text->at, sizeof(text->at), ":%u", place->line);
        } else {
            text_append(text->at, sizeof(text->at), "%.150s",
                        made_text_place(place).at);
        }
    }
    if (part->place_more > 0) {
        text_append(text->at, sizeof(text->at), " and %zu places more",
                    part->place_more);
    }
}

struct made_text made_text_proof(const struct proof *proof)
{
    struct made_text text = {""};
    if (proof_main(proof) == NULL) {
        return text;
    }
    text_append(text.at, sizeof(text.at), "proved: ");
    for (int kind = 0; kind < PROOF_KINDS; kind++) {
        const struct proof_part *part = &proof->parts[kind];
        if (part->threads <= 0) {
            continue;
        }
        text_append(text.at, sizeof(text.at), "%s%s",
                    strlen(text.at) > strlen("proved: ") ? ", and " : "",
                    kind == PROOF_DEADLOCK ? "deadlock" : "never released");
        if (kind == PROOF_DEADLOCK && part->together > 0) {
            text_append(text.at, sizeof(text.at), " of %" PRId64 " thread%s",
                        part->together, part->together == 1 ? "" : "s");
        }
        places_append(&text, part);
    }
    if (proof->explains == UNKNOWN) {
        text_append(text.at, sizeof(text.at),
                    " (whether these are the threads that grew is not known)");
    } else if (proof->explains == 0) {
        text_append(text.at, sizeof(text.at), " (none of the threads that grew)");
    } else if (proof->explains < proof->grew) {
        text_append(text.at, sizeof(text.at), " (%" PRId64 " of %" PRId64 " threads)",
                    proof->explains, proof->grew);
    }
    return text;
}
