/*
 * Goes through the resources in one fixed order, for the table and for all reports.
 */
#include "leakcheck/judge/gate_findings.h"

#include <stdio.h>
#include <string.h>

const enum resource gate_judged[] = {
    RESOURCE_HEAP, RESOURCE_THREADS,  RESOURCE_FDS,     RESOURCE_TIMERS,
    RESOURCE_RSS,  RESOURCE_MAPPINGS, RESOURCE_CHILDREN};
const size_t gate_judged_count = sizeof(gate_judged) / sizeof(gate_judged[0]);

bool gate_is_over(const struct gate *gate)
{
    for (size_t i = 0; i < gate_judged_count; i++) {
        if (gate->resources[gate_judged[i]].over) {
            return true;
        }
    }
    return false;
}

const char *gate_missing_reason(const struct gate *gate, enum resource resource)
{
    const struct server *server = &gate->server;
    if (gate->resources[resource].unclear) {
        return "growth over the limit is neither proved nor ruled out: it may be "
               "warming "
               "up, or noise (--rounds, --calls)";
    }
    if (resource == RESOURCE_HEAP) {
        return gate->heap_reason;
    }
    if (resource == RESOURCE_THREADS && server->threads_by_profile) {
        return server->threads_reason;
    }
    return server->status_reason[0] == '\0' ? "/status does not count it"
                                            : server->status_reason;
}

static void name_add(struct gate_names *names, const char *name)
{
    size_t length = strlen(names->at);
    snprintf(names->at + length, sizeof(names->at) - length, "%s%s",
             length == 0 ? "" : ", ", name);
}

struct gate_names gate_names_measured(const struct gate *gate, bool over)
{
    struct gate_names names = {""};
    for (size_t i = 0; i < gate_judged_count; i++) {
        const struct gate_resource *judged = &gate->resources[gate_judged[i]];
        if (judged->measured && judged->over == over) {
            name_add(&names, resource_name(gate_judged[i]));
        }
    }
    return names;
}

struct gate_names gate_names_missing(const struct gate *gate)
{
    struct gate_names names = {""};
    for (size_t i = 0; i < gate_judged_count; i++) {
        if (!gate->resources[gate_judged[i]].measured) {
            name_add(&names, resource_name(gate_judged[i]));
        }
    }
    return names;
}
