#include "leakcheck/report/place_text.h"

#include <string.h>

#include "leakcheck/report/held_text.h"
#include "leakcheck/report/made_text.h"
#include "leakcheck/report/text.h"

/* "allocated in payload_read leaky/slice_prefix.c:34 (100 %), held by signatures
 * (leaky/slice_prefix.c:22)". */
static void allocated_write(char *text, size_t size, const struct trial *trial)
{
    const struct blame *heap = &trial->heap;
    text_append(text, size, "allocated in %.100s %.100s:%u (%.0f %%)", heap->function,
                heap->file, heap->line,
                100.0 * (double)heap->growth / (double)heap->total);
    if (trial->held.measured) {
        text_append(text, size, ", %s", held_text(&trial->held).at);
    }
}

static void waits_write(char *text, size_t size, const struct blame *wait)
{
    text_append(text, size, "waits in %.100s %.100s:%u", wait->function, wait->file,
                wait->line);
}

/* Whether the scenario is about the resource: then it is said who made it. */
static bool is_declared(const struct trial *trial, enum resource resource)
{
    return trial->info->leaves.amount[resource] > 0 ||
           trial->info->holds.amount[resource] > 0;
}

/* "opened in record_open leaky/file_unclosed.c:40 (100 %)", and what is proved of
 * threads: each after `before`, unless it comes first. */
static void made_write(char *text, size_t size, const struct trial *trial,
                       const char *before, bool first, bool all)
{
    for (size_t i = 0; i < made_resource_count; i++) {
        enum resource resource = made_resources[i];
        const struct blame *made = &trial->made[resource];
        if (made_text_is_known(made) && (all || is_declared(trial, resource))) {
            text_append(text, size, "%s%s", first ? "" : before,
                        made_text_phrase(resource, made).at);
            first = false;
        }
    }
    struct made_text proof = made_text_proof(&trial->proof);
    if (proof.at[0] != '\0') {
        text_append(text, size, "%s%s", first ? "" : before, proof.at);
    }
}

void place_text_fixed(char *text, size_t size, const struct trial *trial)
{
    if (trial->heap.growth > 0) {
        text_append(text, size, "; on fixed, ");
        allocated_write(text, size, trial);
    }
    if (trial->wait.growth > 0) {
        text_append(text, size, "; on fixed, ");
        waits_write(text, size, &trial->wait);
    }
    made_write(text, size, trial, "; on fixed, ", false, true);
}

void place_text_write(char *text, size_t size, const struct trial *trial,
                      enum picture picture)
{
    const struct blame *heap = &trial->heap;
    const struct blame *wait = &trial->wait;
    text_append(text, size, "%s: ", picture_name(picture));
    size_t start = strlen(text);
    bool has_heap = trial->info->suspect[0] != '\0' ||
                    trial->declared.amount[RESOURCE_HEAP] > 0 ||
                    trial->info->growth_bytes_per_second > 0;
    if (has_heap && heap->growth > 0) {
        allocated_write(text, size, trial);
    }
    if (has_heap && trial->library_per_call >= 1) {
        text_append(text, size, "; libraries took %s more",
                    text_bytes(trial->library_per_call).at);
    }
    if (wait->growth > 0) {
        text_append(text, size, "%s", strlen(text) > start ? "; " : "");
        waits_write(text, size, wait);
    }
    made_write(text, size, trial, "; ", strlen(text) == start, false);
    if (strlen(text) == start) {
        text_append(text, size, "not seen by a profile");
    }
}
