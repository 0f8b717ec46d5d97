#include "leakcheck/judge/made.h"

const enum resource made_resources[] = {RESOURCE_THREADS, RESOURCE_FDS, RESOURCE_TIMERS,
                                        RESOURCE_MAPPINGS, RESOURCE_CHILDREN};
const size_t made_resource_count = sizeof(made_resources) / sizeof(made_resources[0]);

/* Makes a profile the base; it belongs to the base then. */
static void base_set(struct made_base *base, enum resource resource, bool there,
                     struct profile *profile)
{
    profile_release(&base->at[resource]);
    base->there[resource] = there;
    if (there) {
        base->at[resource] = *profile;
    }
}

void made_base_take(struct made_base *base, struct server *server,
                    enum resource resource)
{
    struct profile profile;
    bool there = own_counts_try(server, own_page_of(resource), &profile);
    base_set(base, resource, there, &profile);
}

static int compare(struct blame *ret_made, enum blame_what what,
                   const struct profile *base, const struct profile *last,
                   struct blame_own own, struct failure *failure)
{
    const struct blame_question question = {
        .what = what, .own = own, .base = base, .last = last};
    return blame_find(ret_made, &question, failure);
}

int made_compare(struct blame *ret_made, const struct made_base *base,
                 const struct profile *last, enum resource resource,
                 struct blame_own own, struct failure *failure)
{
    *ret_made = (struct blame){0};
    return base->there[resource]
               ? compare(ret_made, BLAME_MADE, &base->at[resource], last, own, failure)
               : 0;
}

int made_find(struct blame *ret_made, struct made_base *base, struct server *server,
              enum resource resource, struct blame_own own, struct failure *failure)
{
    struct profile last;
    *ret_made = (struct blame){0};
    if (!base->there[resource] ||
        !own_counts_try(server, own_page_of(resource), &last)) {
        return 0;
    }
    int error = made_compare(ret_made, base, &last, resource, own, failure);
    base_set(base, resource, true, &last);
    return error;
}

int made_find_bytes(struct blame *ret_made, const struct made_base *base,
                    struct server *server, struct blame_own own,
                    struct failure *failure)
{
    struct profile last;
    *ret_made = (struct blame){0};
    if (!base->there[RESOURCE_MAPPINGS] ||
        !own_counts_try(server, OWN_MAPPINGS, &last)) {
        return 0;
    }
    int error = compare(ret_made, BLAME_MADE_BYTES, &base->at[RESOURCE_MAPPINGS], &last,
                        own, failure);
    profile_release(&last);
    return error;
}

const char *made_reason(const struct server *server, enum resource resource,
                        const struct blame *made)
{
    enum own_page_name page = own_page_of(resource);
    if (page == OWN_PAGES || server->is_go) {
        return "there is no profile of who made them";
    }
    if (server->own_pages[page].reason[0] != '\0') {
        return server->own_pages[page].reason;
    }
    return made->unseen > 0 ? "nobody saw them being made"
                            : "the profiles of who made them show no growth";
}

void made_base_release(struct made_base *base)
{
    for (int i = 0; i < RESOURCE_COUNT; i++) {
        profile_release(&base->at[i]);
    }
    *base = (struct made_base){.there = {false}};
}
