/*
 * The small pieces that several parts of the report share.
 */
#include "leakcheck/report/html.h"

#include <ctype.h>
#include <string.h>

#include "leakcheck/report/text.h"

struct pair html_pair(const struct judgement *judgement, size_t index)
{
    const struct side *leaky = &judgement->sides[ROLE_LEAKY];
    const struct side *fixed = &judgement->sides[ROLE_FIXED];
    return (struct pair){.info = &leaky->list[index],
                         .leaky = &leaky->trials[index],
                         .fixed = &fixed->trials[index],
                         .shown = &leaky->findings[index],
                         .holds = &fixed->findings[index],
                         .answers = judge_answers(judgement, index),
                         .resource = verdict_resource(&leaky->list[index])};
}

void html_element(struct buffer *page, const char *tag, const char *text)
{
    buffer_printf(page, "<%s>", tag);
    buffer_html(page, text);
    buffer_printf(page, "</%s>", tag);
}

void html_family(struct buffer *page, const char *family)
{
    for (size_t i = 0; family[i] != '\0'; i++) {
        char letter = family[i] == '-' ? ' ' : family[i];
        letter = i == 0 ? (char)toupper((unsigned char)letter) : letter;
        buffer_html_length(page, &letter, 1);
    }
}

void html_badge(struct buffer *page, const struct pair *pair)
{
    bool good =
        pair->shown->good && pair->holds->good && pair->answers.result != ANSWERS_WRONG;
    const char *text = good                 ? "proved"
                       : !pair->shown->good ? "leak not shown"
                       : !pair->holds->good && !pair->holds->unmeasured
                           ? "the fix leaks"
                       : pair->answers.result == ANSWERS_WRONG ? "wrong answers"
                                                               : "not measured";
    buffer_printf(page, "<span class=\"badge %s\">%s</span>", good ? "good" : "bad",
                  text);
}

/* " thread", " threads"; "" for bytes, which carry their unit. */
static const char *noun_of(enum resource resource, const char *amount)
{
    bool one = strcmp(amount, "1") == 0;
    switch (resource) {
    case RESOURCE_THREADS:
        return one ? " thread" : " threads";
    case RESOURCE_FDS:
        return one ? " descriptor" : " descriptors";
    case RESOURCE_TIMERS:
        return one ? " timer" : " timers";
    default:
        return "";
    }
}

void html_growth(struct buffer *page, const struct pair *pair, enum resource resource,
                 double amount, bool noun)
{
    /* A peak is never negative: a negative value means that it was not measured. */
    if (pair->info->kind == KIND_TEMPORARY && amount < 0) {
        buffer_text(page, "not measured");
        return;
    }
    struct text grown = text_amount(resource, amount < 0 ? 0 : amount);
    struct text shrunk = text_amount(resource, amount < 0 ? -amount : 0);
    struct text nothing = text_amount(resource, 0);
    buffer_printf(page, "%s%s", grown.at, noun ? noun_of(resource, grown.at) : "");
    if (strcmp(shrunk.at, nothing.at) != 0) {
        buffer_printf(page, " <small>(shrank by %s)</small>", shrunk.at);
    }
}
