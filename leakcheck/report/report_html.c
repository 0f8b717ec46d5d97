/*
 * The HTML report: one file that needs no network, and can be read without its script.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "leakcheck/report/html.h"
#include "leakcheck/report/report.h"
#include "leakcheck/report/report_page.h"

/* Fills in the indexes of the scenarios that were judged: in the servers' order, but
 * each family together, where its first one is. Returns how many there are. */
static size_t order_make(const struct side *side, size_t *order)
{
    size_t count = 0;
    for (size_t i = 0; i < side->count; i++) {
        bool listed = !side->chosen[i];
        for (size_t k = 0; k < count && !listed; k++) {
            listed = order[k] == i;
        }
        for (size_t j = i; j < side->count && !listed; j++) {
            if (side->chosen[j] &&
                strcmp(side->list[j].family, side->list[i].family) == 0) {
                order[count++] = j;
            }
        }
    }
    return count;
}

/* One section per family. */
static void families_write(struct buffer *page, const struct judgement *judgement,
                           const size_t *order, size_t count,
                           const struct html_boxes *boxes, const char *source)
{
    const char *family = NULL;
    for (size_t i = 0; i < count; i++) {
        struct pair pair = html_pair(judgement, order[i]);
        if (family == NULL || strcmp(family, pair.info->family) != 0) {
            family = pair.info->family;
            buffer_printf(page,
                          "%s<section class=\"family\" aria-labelledby=\"_family-%zu\">"
                          "<h2 id=\"_family-%zu\">",
                          i == 0 ? "" : "</section>", order[i], order[i]);
            html_family(page, family);
            buffer_text(page, "</h2>");
        }
        html_scenario(page, &pair, &boxes[order[i]], source);
    }
    buffer_text(page, count == 0 ? "" : "</section>");
}

static void page_write(struct buffer *page, const struct judgement *judgement,
                       size_t *order, struct html_boxes *boxes, const char *source)
{
    const char *mark = strstr(report_page_html, REPORT_PAGE_MARK);
    size_t count = order_make(&judgement->sides[ROLE_LEAKY], order);
    buffer_append(page, report_page_html, (size_t)(mark - report_page_html));
    html_overview(page, judgement, order, count);
    html_icicles(page, judgement, boxes);
    families_write(page, judgement, order, count, boxes, source);
    buffer_text(page, mark + strlen(REPORT_PAGE_MARK));
}

int report_html(const char *path, const char *source, const struct judgement *judgement,
                struct failure *failure)
{
    struct buffer page = {0};
    size_t count = judgement->sides[ROLE_LEAKY].count;
    size_t *order = calloc(count + 1, sizeof(*order));
    struct html_boxes *boxes = calloc(count + 1, sizeof(*boxes));
    bool short_of_memory = order == NULL || boxes == NULL;
    if (!short_of_memory) {
        page_write(&page, judgement, order, boxes, source);
        short_of_memory = page.error != 0;
    }
    int error = short_of_memory ? failure_set(failure, ENOMEM, "out of memory")
                                : report_write(path, page.data, page.length, failure);
    buffer_release(&page);
    free(order);
    free(boxes);
    return error;
}
