/*
 * The list is short, so every look-up is a linear search.
 */
#include "scenario.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/distance.h"

size_t scenario_index(const struct scenario *scenario)
{
    size_t index = 0;
    while (scenarios[index] != scenario) {
        index++;
    }
    return index;
}

const struct scenario *scenario_find(const char *name)
{
    for (size_t i = 0; i < scenario_count; i++) {
        if (strcmp(scenarios[i]->name, name) == 0) {
            return scenarios[i];
        }
    }
    return NULL;
}

size_t scenario_held(const struct scenario *scenario)
{
    return scenario->held == NULL ? 0 : scenario->held();
}

bool scenario_family_exists(const char *family)
{
    for (size_t i = 0; i < scenario_count; i++) {
        if (strcmp(scenarios[i]->family, family) == 0) {
            return true;
        }
    }
    return false;
}

const char *scenario_nearest(const char *name)
{
    const char *nearest = scenarios[0]->name;
    size_t nearest_distance = text_distance(name, nearest);
    for (size_t i = 0; i < scenario_count; i++) {
        const char *candidates[] = {scenarios[i]->name, scenarios[i]->family};
        for (size_t j = 0; j < 2; j++) {
            size_t distance = text_distance(name, candidates[j]);
            if (distance < nearest_distance) {
                nearest = candidates[j];
                nearest_distance = distance;
            }
        }
    }
    return nearest;
}

const char *scenario_kind_name(enum scenario_kind kind)
{
    switch (kind) {
    case SCENARIO_PERMANENT:
        return "permanent";
    case SCENARIO_TEMPORARY:
        return "temporary";
    case SCENARIO_CHURN:
        return "churn";
    }
    return "permanent";
}

size_t scenario_heap_bytes(const struct scenario_amount *amount, size_t bytes)
{
    return amount->blocks * bytes + amount->extra_bytes;
}

size_t scenario_heap_bytes_most(const struct scenario_amount *amount, size_t bytes)
{
    return scenario_heap_bytes(amount, bytes) + amount->library_bytes;
}

void scenario_answer_set(struct scenario_answer *answer, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(answer->text, sizeof(answer->text), format, arguments);
    va_end(arguments);
}

uint32_t scenario_digest(const void *data, size_t length)
{
    const unsigned char *bytes = data;
    uint32_t digest = 2166136261;
    for (size_t i = 0; i < length; i++) {
        digest = (digest ^ bytes[i]) * 16777619;
    }
    return digest;
}

static bool (*growth_enter)(size_t bytes);
static void (*growth_leave)(size_t bytes);

void scenario_growth_guard(bool (*enter)(size_t bytes), void (*leave)(size_t bytes))
{
    growth_enter = enter;
    growth_leave = leave;
}

bool scenario_growth_enter(size_t bytes)
{
    return growth_enter(bytes);
}

void scenario_growth_leave(size_t bytes)
{
    growth_leave(bytes);
}
