/*
 * What the profiles blame for one scenario: where memory was allocated, who holds it,
 * where threads wait, and where descriptors, threads and timers were made.
 */
#include "leakcheck/report/html.h"

#include <string.h>

#include "leakcheck/report/held_text.h"
#include "leakcheck/report/made_text.h"

/* Who holds what was allocated there. */
static void held_write(struct buffer *page, const struct held *held)
{
    if (!held->measured) {
        buffer_text(page, "<p class=\"note\">Who holds it was not measured: ");
        buffer_html(page, held->reason[0] == '\0' ? "nothing stays" : held->reason);
        buffer_text(page, ".</p>");
        return;
    }
    struct held_text holder = held_text_holder(held->holder);
    bool lost = held_is_lost(held);
    if (lost) {
        buffer_text(page, "<h4>Lost");
    } else {
        buffer_text(page, "<h4>Held by ");
        html_element(page, "code", holder.at);
    }
    buffer_printf(page, "</h4><p>Of what was allocated there, %.0f %% is %s.</p>",
                  100 * held_share(held),
                  lost ? "lost: nothing points to it any more" : "held through it");
}

/* One place that a profile blames, with its code. A file's name comes from the server:
 * it is opened only if it is one of the pair's, which were checked when they were read.
 */
static void place_write(struct buffer *page, const struct pair *pair, const char *what,
                        const struct blame *place, const char *source)
{
    buffer_printf(page, "<h4>%s ", what);
    html_element(page, "code", place->function);
    buffer_text(page, "</h4><p>");
    buffer_html(page, place->file[0] == '\0' ? "In an unknown file" : place->file);
    if (place->file[0] != '\0') {
        buffer_printf(page, ", line %u", place->line);
    }
    buffer_printf(page, ": %.0f %% of %s.</p>",
                  100.0 * (double)place->growth / (double)place->total,
                  pair->info->kind == KIND_TEMPORARY ? "what a call holds"
                                                     : "the growth");
    if (strcmp(place->file, pair->info->files[0]) == 0) {
        html_source(page, source, place->file, place->line);
    } else {
        buffer_text(page, "<p class=\"note\">This is not the scenario's own file.</p>");
    }
}

static void box_link_write(struct buffer *page, const struct html_boxes *boxes)
{
    static const char *const names[] = {"leaky", "fixed"};
    if (boxes->number[ROLE_LEAKY] == 0 && boxes->number[ROLE_FIXED] == 0) {
        return;
    }
    buffer_text(page, "<p>Its box in the picture: ");
    for (int role = ROLE_LEAKY; role <= ROLE_FIXED; role++) {
        buffer_text(page, role == ROLE_LEAKY ? "" : ", ");
        if (boxes->number[role] > 0) {
            buffer_printf(page, "<a href=\"#_%s-%u\">in the %s heap</a>", names[role],
                          boxes->number[role], names[role]);
        } else {
            buffer_printf(page, "none in the %s heap", names[role]);
        }
    }
    buffer_text(page, ".</p>");
}

/* Where the fixed half leaks, when it does. */
static void fixed_place_write(struct buffer *page, const char *what,
                              const struct blame *place)
{
    if (place->growth <= 0) {
        return;
    }
    buffer_printf(page, "<p>On the fixed server: %s ", what);
    html_element(page, "code", place->function);
    if (place->file[0] != '\0') {
        buffer_text(page, ", ");
        buffer_html(page, place->file);
        buffer_printf(page, ", line %u", place->line);
    }
    buffer_text(page, ".</p>");
}

/* How a heading says it, at its start. */
static const char *made_heading(enum resource resource)
{
    switch (resource) {
    case RESOURCE_FDS:
        return "Opened in";
    case RESOURCE_THREADS:
        return "Threads started in";
    case RESOURCE_TIMERS:
        return "Timers made in";
    case RESOURCE_CHILDREN:
        return "Spawned in";
    default:
        return "Mapped in";
    }
}

/* Who made what the scenario is about. Returns whether that is known. */
static bool made_write(struct buffer *page, const struct pair *pair, const char *source)
{
    bool known = false;
    for (size_t i = 0; i < made_resource_count; i++) {
        enum resource resource = made_resources[i];
        const struct blame *made = &pair->leaky->made[resource];
        bool declared = pair->info->leaves.amount[resource] > 0 ||
                        pair->info->holds.amount[resource] > 0;
        if (declared && made->growth > 0) {
            place_write(page, pair, made_heading(resource), made, source);
        }
        if (declared && made->unseen > 0) {
            buffer_printf(page,
                          "<p class=\"note\">%.0f %% of the %s were made unseen."
                          "</p>",
                          100.0 * (double)made->unseen / (double)made->total,
                          resource_name(resource));
        }
        known = known || (declared && made_text_is_known(made));
    }
    struct made_text proof = made_text_proof(&pair->leaky->proof);
    if (proof.at[0] != '\0') {
        buffer_text(page, "<h4>Proved: they never go on</h4><p>");
        buffer_html(page, proof.at + strlen("proved: "));
        buffer_text(page, ".</p>");
    }
    return known || proof.at[0] != '\0';
}

void html_places(struct buffer *page, const struct pair *pair,
                 const struct html_boxes *boxes, const char *source)
{
    const struct blame *heap = &pair->leaky->heap;
    const struct blame *wait = &pair->leaky->wait;
    bool allocated = heap->growth > 0 && pair->info->suspect[0] != '\0';
    buffer_text(page, "<details class=\"place\"><summary>Show what the profile blames"
                      "</summary>");
    if (!pair->shown->good) {
        html_element(page, "p", pair->shown->reason);
    }
    if (allocated) {
        place_write(page, pair, "Allocated in", heap, source);
        held_write(page, &pair->leaky->held);
    }
    if (wait->growth > 0) {
        place_write(page, pair, "Threads wait in", wait, source);
    }
    bool made = made_write(page, pair, source);
    if (!allocated && wait->growth <= 0 && !made) {
        buffer_text(page,
                    "<p>No profile shows this one: it is neither memory from malloc "
                    "that stays, nor a thread that waits, nor anything that is opened "
                    "or made.</p>");
    }
    if (!pair->holds->good) {
        fixed_place_write(page, "allocated in", &pair->fixed->heap);
        fixed_place_write(page, "threads wait in", &pair->fixed->wait);
        for (size_t i = 0; i < made_resource_count; i++) {
            enum resource resource = made_resources[i];
            fixed_place_write(page, made_text_verb(resource),
                              &pair->fixed->made[resource]);
        }
    }
    box_link_write(page, boxes);
    buffer_text(page, "</details>");
}
