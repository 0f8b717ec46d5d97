/*
 * /scenarios: the descriptors as JSON. The text is built once and kept.
 */
#include "server/catalogue.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "probe/http/form.h"
#include "server/lab_json.h"
#include "server/leak.h"
#include "variant.h"

static void add_parameter(cJSON *list, const char *name, const char *meaning,
                          size_t value, size_t minimum, size_t maximum)
{
    cJSON *parameter = lab_json_add_object(list);
    cJSON_AddStringToObject(parameter, "name", name);
    cJSON_AddStringToObject(parameter, "meaning", meaning);
    cJSON_AddNumberToObject(parameter, "default", (double)value);
    cJSON_AddNumberToObject(parameter, "min", (double)minimum);
    cJSON_AddNumberToObject(parameter, "max", (double)maximum);
}

static void add_parameters(cJSON *json, const struct scenario *scenario)
{
    char meaning[128];
    cJSON *list = cJSON_AddArrayToObject(json, "parameters");
    cJSON *id = lab_json_add_object(list);
    cJSON_AddStringToObject(id, "name", "id");
    cJSON_AddStringToObject(id, "meaning", "whose request it is");
    cJSON_AddStringToObject(id, "default", LEAK_ID_DEFAULT);
    cJSON_AddNumberToObject(id, "max_length", PARAMETER_TEXT_MAX);
    add_parameter(list, "count", "how many calls", 1, 1, LEAK_COUNT_MAX);
    snprintf(meaning, sizeof(meaning), "bytes of %s", scenario->bytes_meaning);
    add_parameter(list, "bytes", meaning, scenario->bytes_default, scenario->bytes_min,
                  scenario->bytes_max);
    if (scenario->kind == SCENARIO_TEMPORARY) {
        add_parameter(list, "hold", "milliseconds to stay at the peak", 0, 0,
                      LEAK_HOLD_MAX_MS);
    }
}

/* Adds the path of one half: "leaky/slice_prefix.c" for "slice-prefix". */
static void add_file(cJSON *list, const char *half, const char *name)
{
    char path[96];
    snprintf(path, sizeof(path), "%s/%s.c", half, name);
    for (char *p = path; *p != '\0'; p++) {
        *p = *p == '-' ? '_' : *p;
    }
    lab_json_add_string(list, path);
}

/* Adds what one call leaves and holds, with the default size. */
static void add_effects(cJSON *json, const struct scenario *scenario)
{
    size_t bytes = scenario->bytes_default;
    leak_add_amounts(cJSON_AddObjectToObject(json, "leaves"), &scenario->leaves, bytes,
                     1);
    cJSON *holds = cJSON_AddObjectToObject(json, "holds");
    leak_add_amounts(holds, &scenario->holds, bytes, 1);
    cJSON_AddNumberToObject(holds, "stack_bytes",
                            (double)scenario->holds.stack_blocks * (double)bytes);
    cJSON_AddNumberToObject(json, "allocates_bytes",
                            (double)scenario->churn_blocks * (double)bytes);
    cJSON_AddNumberToObject(json, "growth_bytes_per_second",
                            (double)scenario->growth_blocks * (double)bytes);
}

/* Adds the texts that tell what the bug is. */
static void add_answers(cJSON *json, const struct scenario *scenario)
{
    cJSON_AddStringToObject(json, "cause", scenario->cause);
    cJSON_AddStringToObject(json, "fix", scenario->fix);
    cJSON_AddStringToObject(json, "find_it", scenario->find_it);
    cJSON *files = cJSON_AddArrayToObject(json, "files");
    if (scenario->file != NULL) {
        lab_json_add_string(files, scenario->file);
        lab_json_add_string(files, scenario->file);
    } else {
        add_file(files, "leaky", scenario->name);
        add_file(files, "fixed", scenario->name);
    }
    if (scenario->suspect != NULL) {
        cJSON_AddStringToObject(json, "suspect", scenario->suspect);
    } else {
        cJSON_AddNullToObject(json, "suspect");
    }
}

static void describe(cJSON *json, const struct scenario *scenario, bool answers)
{
    cJSON_AddStringToObject(json, "name", scenario->name);
    cJSON_AddStringToObject(json, "family", scenario->family);
    cJSON_AddStringToObject(json, "title", scenario->title);
    cJSON_AddStringToObject(json, "kind", scenario_kind_name(scenario->kind));
    if (answers || !variant.is_exercise) {
        add_effects(json, scenario);
    }
    add_parameters(json, scenario);
    cJSON_AddStringToObject(json, "story", scenario->story);
    cJSON_AddStringToObject(json, "symptom", scenario->symptom);
    if (answers) {
        add_answers(json, scenario);
    }
}

struct text {
    char *data;
    size_t size;
};

/* The list of scenarios as JSON; data is NULL when memory is short. The list never
 * changes, and building it takes about 10 ms under the profiler. So it is built once
 * with the answers and once without them, and kept. */
static struct text catalogue_text(bool answers)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static struct text texts[2];
    pthread_mutex_lock(&lock);
    struct text *text = &texts[answers];
    if (text->data == NULL) {
        cJSON *list = cJSON_CreateArray();
        for (size_t i = 0; i < scenario_count; i++) {
            describe(lab_json_add_object(list), scenarios[i], answers);
        }
        text->data = lab_json_finish(list);
        if (text->data != NULL) {
            text->size = strlen(text->data) + 1;
            text->data[text->size - 1] = '\n'; /* replaces the '\0' */
        }
    }
    struct text copy = *text;
    pthread_mutex_unlock(&lock);
    return copy;
}

void catalogue_page(const struct request *request, struct reply *reply)
{
    struct parameter answers = {
        .name = "answers", .type = PARAMETER_NUMBER, .maximum = 1};
    if (!probe_form_read(request, &answers, 1, reply)) {
        return;
    }
    struct text text = catalogue_text(answers.number == 1);
    if (text.data == NULL) {
        probe_reply_no_memory(reply);
        return;
    }
    probe_reply_static(reply, REPLY_JSON, text.data, text.size);
}
