#include "server/lab_page.h"

#include <stdio.h>
#include <string.h>

#include "probe/http/form.h"
#include "probe/web/assets.h"
#include "probe/web/live.h"
#include "scenario.h"
#include "server/lab_json.h"
#include "variant.h"

ASSET_DECLARE(lab_html);
ASSET_DECLARE(lab_css);
ASSET_DECLARE(cards_js);
ASSET_DECLARE(folds_js);
ASSET_DECLARE(growth_js);
ASSET_DECLARE(lab_js);
ASSET_DECLARE(lesson_js);
ASSET_DECLARE(load_js);
ASSET_DECLARE(load_bar_js);
ASSET_DECLARE(measure_js);
ASSET_DECLARE(one_by_one_js);
ASSET_DECLARE(resources_js);
ASSET_DECLARE(servers_js);
ASSET_DECLARE(lessons_diff); /* `make lesson` of every pair, one after the other */

static const struct asset files[] = {
    {"/page/lab/lab.css", ASSET_CSS, lab_css, &lab_css_bytes},
    {"/page/lab/cards.js", ASSET_SCRIPT, cards_js, &cards_js_bytes},
    {"/page/lab/folds.js", ASSET_SCRIPT, folds_js, &folds_js_bytes},
    {"/page/lab/growth.js", ASSET_SCRIPT, growth_js, &growth_js_bytes},
    {"/page/lab/lab.js", ASSET_SCRIPT, lab_js, &lab_js_bytes},
    {"/page/lab/lesson.js", ASSET_SCRIPT, lesson_js, &lesson_js_bytes},
    {"/page/lab/load.js", ASSET_SCRIPT, load_js, &load_js_bytes},
    {"/page/lab/load_bar.js", ASSET_SCRIPT, load_bar_js, &load_bar_js_bytes},
    {"/page/lab/measure.js", ASSET_SCRIPT, measure_js, &measure_js_bytes},
    {"/page/lab/one_by_one.js", ASSET_SCRIPT, one_by_one_js, &one_by_one_js_bytes},
    {"/page/lab/resources.js", ASSET_SCRIPT, resources_js, &resources_js_bytes},
    {"/page/lab/servers.js", ASSET_SCRIPT, servers_js, &servers_js_bytes},
};

void lab_page(const struct request *request, struct reply *reply)
{
    if (probe_form_read_none(request, reply)) {
        probe_reply_static(reply, REPLY_HTML, lab_html, lab_html_bytes);
        probe_page_protect(reply);
    }
}

void lab_page_files(const struct request *request, struct reply *reply)
{
    probe_asset_reply(files, sizeof(files) / sizeof(files[0]), request, reply);
}

void lab_page_setup(const struct request *request, struct reply *reply)
{
    if (!probe_form_read_none(request, reply)) {
        return;
    }
    const struct origin *peer = &request->site->peer;
    cJSON *json = cJSON_CreateObject();
    cJSON_AddStringToObject(json, "server", request->site->name);
    if (peer->port != 0) {
        char url[300];
        snprintf(url, sizeof(url), "http://%s:%u", peer->host, peer->port);
        cJSON_AddStringToObject(json, "peer", url);
    } else {
        cJSON_AddNullToObject(json, "peer");
    }
    cJSON_AddBoolToObject(json, "exercise", variant.is_exercise);
    lab_json_reply(reply, 200, json);
}

/* The lesson of a scenario, from its line "--- leaky/FILE" to that of the next one;
 * NULL if there is none. Writes its length to ret_bytes. */
static const char *lesson_find(const char *name, size_t *ret_bytes)
{
    static const char mark[] = "--- leaky/";
    char line[128];
    snprintf(line, sizeof(line), "%s%s.c\n", mark, name);
    for (char *at = line + sizeof(mark) - 1; *at != '\0'; at++) {
        *at = *at == '-' ? '_' : *at;
    }
    const char *lesson = strstr(lessons_diff, line);
    if (lesson == NULL) {
        return NULL;
    }
    char next[sizeof(mark) + 1];
    snprintf(next, sizeof(next), "\n%s", mark);
    const char *end = strstr(lesson + 1, next);
    *ret_bytes = end == NULL ? strlen(lesson) : (size_t)(end + 1 - lesson);
    return lesson;
}

void lab_page_lesson(const struct request *request, struct reply *reply)
{
    if (!probe_form_read_none(request, reply)) {
        return;
    }
    const char *name = strrchr(request->path, '/') + 1;
    const char *lesson = NULL;
    size_t bytes = 0;
    if (!variant.is_exercise && scenario_find(name) != NULL) {
        lesson = lesson_find(name, &bytes);
    }
    if (lesson == NULL) {
        probe_reply_error(reply, 404, "unknown_lesson",
                          variant.is_exercise ? "./learn.sh solution shows it"
                                              : "GET /scenarios lists the names",
                          "no lesson '%.200s'", name);
        return;
    }
    probe_reply_static(reply, REPLY_TEXT, lesson, bytes);
}
