/*
 * What leakcheck prints of one server of any make.
 */
#include "leakcheck/report/table.h"

#include <string.h>

#include "leakcheck/report/held_text.h"
#include "leakcheck/report/made_text.h"

/* "allocated in  main.keep /x/main.go:12 (98 %)" */
static void blame_print(FILE *stream, const char *what, const struct blame *blame)
{
    if (blame->growth <= 0) {
        return;
    }
    fprintf(stream, "%-12s %s", what, blame->function);
    if (blame->file[0] != '\0') {
        fprintf(stream, " %s:%u", blame->file, blame->line);
    }
    fprintf(stream, " (%.0f %%)\n",
            100.0 * (double)blame->growth / (double)blame->total);
}

/* "held by      signatures (leaky/slice_prefix.c:22)"; "lost         nothing points to
 * it". Of a server that has no such profile nothing is said. */
static void held_print(FILE *stream, const struct gate *gate)
{
    const struct held *held = &gate->held;
    if (held->measured) {
        struct held_text text = held_text(held);
        const char *word = held_is_lost(held) ? "lost" : "held by";
        const char *rest = text.at + strlen(word);
        fprintf(stream, "%-12s %s\n", word, rest + strspn(rest, ": "));
    } else if (held->reason[0] != '\0' &&
               !gate->server.own_pages[OWN_RETAINED].absent) {
        fprintf(stream, "%-12s not measured: %s\n", "held by", held->reason);
    }
}

/* A growth and its limit, not rounded where rounding makes them look equal. */
static void growth_print(FILE *stream, enum resource resource, double grown,
                         double limit)
{
    struct text left = text_amount(resource, grown);
    struct text right = text_amount(resource, limit);
    if (grown > limit && strcmp(left.at, right.at) == 0) {
        const char *unit = resource_is_bytes(resource) ? " B" : "";
        snprintf(right.at, sizeof(right.at), "%.0f%s", limit, unit);
        for (int digits = 0; digits < 10; digits++) {
            snprintf(left.at, sizeof(left.at), "%.*f%s", digits, grown, unit);
            if (strcmp(left.at, right.at) != 0) {
                break;
            }
        }
    }
    fprintf(stream, "%s a call, limit %s", left.at, right.at);
}

/* "heap         2.0 KiB a call, limit 1.0 KiB: OVER" */
static void resource_print(FILE *stream, struct table_style style,
                           const struct gate *gate, enum resource resource)
{
    const struct gate_resource *judged = &gate->resources[resource];
    bool goroutines = resource == RESOURCE_THREADS && gate->server.is_go;
    fprintf(stream, "%-12s ", goroutines ? "goroutines" : resource_name(resource));
    if (!judged->measured) {
        bool said = resource == RESOURCE_HEAP || judged->unclear;
        fprintf(stream, "%snot measured%s%s%s\n", table_paint(style, TABLE_BOLD),
                table_paint(style, TABLE_PLAIN), said ? ": " : "",
                said ? gate_missing_reason(gate, resource) : "");
        return;
    }
    growth_print(stream, resource, judged->fit.slope, judged->limit.most);
    if (judged->over) {
        fprintf(stream, "%s: OVER%s", table_paint(style, TABLE_RED),
                table_paint(style, TABLE_PLAIN));
    } else if (judged->fit.slope > judged->limit.most) {
        fputs(judged->by_trend ? ", but it has stopped" : ", but not in every round",
              stream);
    }
    fputc('\n', stream);
}

/* "opened in    record_open /x/shop.c:40 (100 %)" of each resource that is over its
 * limit. Of a server that has no such profile nothing is said. */
static void made_print(FILE *stream, const struct gate *gate)
{
    static const enum resource shown[] = {RESOURCE_THREADS, RESOURCE_FDS,
                                          RESOURCE_TIMERS,  RESOURCE_CHILDREN,
                                          RESOURCE_RSS,     RESOURCE_MAPPINGS};
    for (size_t i = 0; i < sizeof(shown) / sizeof(shown[0]); i++) {
        enum resource resource = shown[i];
        const struct gate_resource *judged = &gate->resources[resource];
        bool threads = resource == RESOURCE_THREADS;
        const struct blame *made = threads ? &judged->made : &judged->blame;
        enum own_page_name page = own_page_of(resource);
        bool mapped = resource == RESOURCE_RSS &&
                      (made->growth <= 0 || gate->resources[RESOURCE_MAPPINGS].over);
        if (!judged->over || mapped) {
            continue; /* said with the mappings, or not at all */
        }
        if (made_text_is_known(made)) {
            fprintf(stream, "%-12s %s\n", made_text_verb(resource), made_text(made).at);
        } else if (page != OWN_PAGES && !gate->server.own_pages[page].absent &&
                   !gate->server.is_go) {
            fprintf(stream, "%-12s not measured: %s\n", made_text_verb(resource),
                    made_reason(&gate->server, resource, made));
        }
    }
    struct made_text proof = made_text_proof(&gate->proof);
    if (gate->resources[RESOURCE_THREADS].over && proof.at[0] != '\0') {
        fprintf(stream, "%-12s %s\n", gate->proof.explains > 0 ? "stuck" : "also stuck",
                proof.at);
    }
}

/* Where it happens, as far as the profiles know. */
static void places_print(FILE *stream, const struct gate *gate)
{
    const struct gate_resource *heap = &gate->resources[RESOURCE_HEAP];
    const struct gate_resource *threads = &gate->resources[RESOURCE_THREADS];
    if (gate->picture == PICTURE_FLAT) {
        return;
    }
    blame_print(stream, "allocated in", &heap->blame);
    if (heap->over && heap->blame.growth <= 0) {
        fprintf(stream, "%-12s an unknown function: %s\n", "allocated in",
                gate->server.names_reason[0] == '\0' ? "the stacks have no names"
                                                     : gate->server.names_reason);
    }
    held_print(stream, gate);
    if (gate->picture == PICTURE_THREADS) {
        blame_print(stream, "waits in", &threads->blame);
    }
    made_print(stream, gate);
    if (gate->own_missed != NULL) {
        fprintf(stream, "%-12s no stack that has names passes through --own %s\n",
                "own code", gate->own_missed);
    }
}

/* "holds for heap, threads; not measured: timers" */
static void verdict_print(FILE *stream, struct table_style style,
                          const struct gate *gate)
{
    bool over = gate_is_over(gate);
    struct gate_names leaks = gate_names_measured(gate, true);
    struct gate_names holds = gate_names_measured(gate, false);
    struct gate_names missing = gate_names_missing(gate);
    fprintf(stream, "%-12s %s", "verdict",
            table_paint(style, over ? TABLE_RED : TABLE_GREEN));
    if (over) {
        fprintf(stream, "LEAKS: %s%s", leaks.at, holds.at[0] == '\0' ? "" : "; ");
    }
    fprintf(stream, "%s%s%s", holds.at[0] == '\0' ? "" : "holds for ", holds.at,
            table_paint(style, TABLE_PLAIN));
    if (missing.at[0] != '\0') {
        fprintf(stream, "; not measured: %s", missing.at);
    }
    fputc('\n', stream);
}

/* "path         POST http://127.0.0.1:8080/login (4 of 10 calls)" */
static void calls_print(FILE *stream, const struct gate *gate,
                        const struct gate_settings *settings)
{
    const struct call_settings *call = &settings->call;
    if (call->command != NULL) {
        fprintf(stream, "%-12s %s\n", "command", call->command);
    }
    for (size_t i = 0; i < call->drive_count; i++) {
        const struct call_target *target = &gate->caller.targets[i];
        bool get = strcmp(call->method, "GET") == 0;
        fprintf(stream, "%-12s %s%s%s%s", "path", get ? "" : call->method,
                get ? "" : " ", target->http->base, target->path);
        if (call->drive_count > 1) {
            fprintf(stream, " (%u of %s)", caller_share(&gate->caller, gate->calls, i),
                    text_number_of(gate->calls, "call").at);
        }
        fputc('\n', stream);
    }
}

/* "program      ./my-server 8080, pid 4242: stopped, exit status 0" */
static void program_print(FILE *stream, const struct program *program)
{
    if (program->command != NULL) {
        fprintf(stream, "%-12s %s, pid %d: %s, %s\n", "program", program->command,
                program->pid, program->by_itself ? "ended by itself" : "stopped",
                child_end_text(program->status).at);
    }
}

void table_output(FILE *stream, const struct gate *gate)
{
    struct tail_lines lines;
    tail_split(&gate->program.tail, &lines);
    for (size_t i = 0; i < lines.count; i++) {
        fprintf(stream, "%-12s %s\n", i == 0 ? "it printed" : "", lines.at[i]);
    }
}

void table_gate(FILE *stream, struct table_style style, const struct gate *gate,
                const struct gate_settings *settings)
{
    program_print(stream, &gate->program);
    calls_print(stream, gate, settings);
    if (gate->caller.own_count > 0 || settings->call.command != NULL) {
        fprintf(stream, "%-12s %s\n", "profiles", gate->server.http.base);
    }
    for (size_t i = 0; i < gate_judged_count; i++) {
        resource_print(stream, style, gate, gate_judged[i]);
    }
    if (gate->counts_allocations) {
        fprintf(stream, "%-12s %s a call\n", "allocated",
                text_bytes(gate->total_per_call).at);
    }
    fprintf(stream, "%-12s %s\n", "picture", picture_sentence(gate->picture));
    places_print(stream, gate);
    verdict_print(stream, style, gate);
    fprintf(stream, "%-12s %s of %s, %.1f s\n", "measured in",
            text_number_of(gate->sample_count - 1, "round").at,
            text_number_of(gate->calls, "call").at, (double)gate->elapsed_ms / 1000);
    table_output(stream, gate);
}
