#include "leakcheck/report/table_row.h"

#include "leakcheck/report/place_text.h"
#include "leakcheck/report/text.h"

/* Whether the row says what becomes of the heap besides the resource that the scenario
 * is about. */
static bool heap_comes_second(const struct trial *trial)
{
    enum resource resource = verdict_resource(trial->info);
    bool counted = resource == RESOURCE_THREADS || resource == RESOURCE_FDS ||
                   resource == RESOURCE_TIMERS;
    return counted && trial->declared.amount[RESOURCE_HEAP] > 0;
}

/* One amount; what a call holds for a while cannot shrink, but be unknown. */
static struct text amount_text(const struct trial *trial, enum resource resource,
                               double amount)
{
    if (trial->info->kind == KIND_TEMPORARY && amount < 0) {
        return (struct text){"unknown"};
    }
    return text_growth(resource, amount);
}

/* "2, 8.0 KiB": what a scenario is about, and its heap where that is another thing. */
static void amounts_write(char *text, size_t size, const struct trial *trial,
                          double (*get)(const struct trial *, enum resource))
{
    enum resource resource = verdict_resource(trial->info);
    text_append(text, size, "%s",
                amount_text(trial, resource, get(trial, resource)).at);
    if (heap_comes_second(trial)) {
        text_append(text, size, ", %s",
                    amount_text(trial, RESOURCE_HEAP, get(trial, RESOURCE_HEAP)).at);
    }
}

/* "; on fixed, heap shrank by 8.0 KiB a call": what stands as 0 in the columns. */
static void shrinkage_write(char *text, size_t size, const char *half,
                            const struct trial *trial,
                            double (*get)(const struct trial *, enum resource))
{
    const enum resource shown[] = {verdict_resource(trial->info), RESOURCE_HEAP};
    size_t count = heap_comes_second(trial) ? 2 : 1;
    for (size_t i = 0; i < count && trial->info->kind != KIND_TEMPORARY; i++) {
        double amount = get(trial, shown[i]);
        if (text_is_shrinkage(shown[i], amount)) {
            text_append(text, size, "; on %s, %s shrank by %s a call", half,
                        resource_name(shown[i]), text_amount(shown[i], -amount).at);
        }
    }
}

static void verdict_write(struct table_row *row, const struct finding *shown,
                          const struct finding *holds,
                          const struct answers_finding *answers)
{
    bool right = answers->result != ANSWERS_WRONG;
    row->good = shown->good && holds->good && right;
    text_append(row->verdict, sizeof(row->verdict), "%s", row->good ? "proved" : "");
    if (!shown->good) {
        text_append(row->verdict, sizeof(row->verdict), "LEAK NOT SHOWN: %s",
                    shown->reason);
    }
    if (!holds->good) {
        text_append(row->verdict, sizeof(row->verdict), "%s%s: %s",
                    shown->good ? "" : "; ",
                    holds->unmeasured ? "THE FIX IS NOT MEASURED" : "THE FIX LEAKS",
                    holds->reason);
    }
    if (!right) {
        text_append(row->verdict, sizeof(row->verdict), "%sWRONG ANSWERS: %s",
                    shown->good && holds->good ? "" : "; ", answers->reason);
    }
}

struct table_row table_row_make(const struct judgement *judgement, size_t index)
{
    struct table_row row = {.good = true};
    const size_t size = sizeof(row.cells[0]);
    const struct side *leaky = &judgement->sides[ROLE_LEAKY];
    const struct side *fixed = &judgement->sides[ROLE_FIXED];
    const struct trial *trial = &leaky->trials[index];
    const struct trial *other = &fixed->trials[index];
    text_append(row.cells[TABLE_NAME], size, "%s", leaky->list[index].name);
    text_append(row.cells[TABLE_GROWS], size, "%s",
                resource_name(verdict_resource(trial->info)));
    amounts_write(row.cells[TABLE_LEAKY], size, trial, verdict_measured);
    amounts_write(row.cells[TABLE_FIXED], size, other, verdict_remaining);
    amounts_write(row.cells[TABLE_DECLARED], size, trial, verdict_declared);
    place_text_write(row.place, sizeof(row.place), trial,
                     leaky->findings[index].picture);
    if (!fixed->findings[index].good) {
        place_text_fixed(row.place, sizeof(row.place), other);
    }
    struct answers_finding answers = judge_answers(judgement, index);
    text_append(row.place, sizeof(row.place), "; %s", answers_phrase(answers.result));
    shrinkage_write(row.place, sizeof(row.place), "leaky", trial, verdict_measured);
    shrinkage_write(row.place, sizeof(row.place), "fixed", other, verdict_remaining);
    verdict_write(&row, &leaky->findings[index], &fixed->findings[index], &answers);
    return row;
}
