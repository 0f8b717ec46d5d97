/*
 * What leakcheck prints of one half that was judged alone.
 */
#include "leakcheck/report/table.h"

#include "leakcheck/report/held_text.h"
#include "leakcheck/report/made_text.h"

/* "    held by signatures (mine/case-07.c:22)", where that was measured. */
static void held_print(FILE *stream, const struct held *held)
{
    if (held->measured) {
        fprintf(stream, "    %s\n", held_text(held).at);
    }
}

/* "    allocated in payload_read mine/case-07.c:30": a line of its own, because it may
 * be long. */
static void blame_print(FILE *stream, const char *what, const struct blame *blame)
{
    if (blame->growth <= 0) {
        return;
    }
    fprintf(stream, "    %s %s", what, blame->function);
    if (blame->file[0] != '\0') {
        fprintf(stream, " %s:%u", blame->file, blame->line);
    }
    fputc('\n', stream);
}

/* "    opened in record_open mine/case-09.c:40 (100 %)", and what is proved. */
static void made_print(FILE *stream, const struct trial *trial)
{
    for (size_t i = 0; i < made_resource_count; i++) {
        enum resource resource = made_resources[i];
        const struct blame *made = &trial->made[resource];
        if (made_text_is_known(made)) {
            fprintf(stream, "    %s\n", made_text_phrase(resource, made).at);
        }
    }
    struct made_text proof = made_text_proof(&trial->proof);
    if (proof.at[0] != '\0') {
        fprintf(stream, "    %s\n", proof.at);
    }
}

void table_alone(FILE *stream, struct table_style style, const struct alone *alone)
{
    const struct side *side = &alone->side;
    for (size_t i = 0; i < side->count; i++) {
        const struct finding *finding = &side->findings[i];
        if (!side->chosen[i]) {
            continue;
        }
        if (finding->good) {
            fprintf(stream, "%s: %sholds%s\n", side->list[i].name,
                    table_paint(style, TABLE_GREEN), table_paint(style, TABLE_PLAIN));
            continue;
        }
        fprintf(stream, "%s: %s%s%s: %s\n", side->list[i].name,
                table_paint(style, TABLE_RED),
                finding->unmeasured ? "NOT MEASURED" : "STILL LEAKS",
                table_paint(style, TABLE_PLAIN), finding->reason);
        if (finding->unmeasured) {
            continue;
        }
        blame_print(stream, "allocated in", &side->trials[i].heap);
        held_print(stream, &side->trials[i].held);
        blame_print(stream, "waits in", &side->trials[i].wait);
        made_print(stream, &side->trials[i]);
    }
    struct alone_summary summary = alone_summarize(alone);
    fprintf(stream, "%s%zu of %zu hold%s%s, in %.1f s (%u rounds of %s)\n",
            table_paint(style, summary.good ? TABLE_GREEN : TABLE_RED), summary.holding,
            summary.judged, table_paint(style, TABLE_PLAIN),
            text_unmeasured(summary.unmeasured).at, (double)alone->elapsed_ms / 1000,
            alone->order.rounds, text_number_of(alone->order.calls, "call").at);
}
