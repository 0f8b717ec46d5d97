/*
 * The icicles: what both heaps hold at the end. Rows go from the thread's start at the
 * top to the allocation at the bottom. A box's left edge and width are in per cent of
 * one scale for both pictures; the script of the page zooms by changing that scale.
 */
#include <string.h>

#include "leakcheck/report/heap_tree.h"
#include "leakcheck/report/html.h"
#include "leakcheck/report/text.h"

#define SHOWN_PART 0.001 /* of the scale: narrower boxes are not drawn */
#define ROWS_MAX 40

static const char *const role_names[] = {"leaky", "fixed"};

/* One picture while it is drawn. */
struct icicle {
    struct buffer *page;
    const struct side *side;
    struct html_boxes *boxes;
    double scale;  /* bytes of the full width */
    int64_t total; /* bytes in use */
    unsigned count;
};

/* The index of the judged scenario whose own file a function is in; the number of
 * scenarios if it is in none. */
static size_t scenario_of(const struct side *side, const struct frame *frame)
{
    size_t index = 0;
    while (index < side->count &&
           !(frame->file != NULL && side->chosen[index] &&
             strcmp(frame->file, side->list[index].files[side->role]) == 0)) {
        index++;
    }
    return index;
}

/* The kind of code, for the colour. */
static const char *kind_of(const struct frame *frame, bool own)
{
    static const char *const directories[] = {"base/", "common/", "fixed/", "leaky/",
                                              "probe/"};
    if (own) {
        return "own";
    }
    for (size_t i = 0; i < sizeof(directories) / sizeof(directories[0]); i++) {
        if (frame->file != NULL &&
            strncmp(frame->file, directories[i], strlen(directories[i])) == 0) {
            return "common";
        }
    }
    return "library";
}

/* `left` is the bytes in use to the left of the box. */
static void place_write(const struct icicle *icicle, int64_t left, int64_t bytes,
                        int row)
{
    buffer_printf(icicle->page, " style=\"--l:%.4f;--w:%.4f;--r:%d\"",
                  100.0 * (double)left / icicle->scale,
                  100.0 * (double)bytes / icicle->scale, row);
}

/* A box of a scenario's code is a link to that scenario. */
static void box_write(struct icicle *icicle, const struct heap_node *node, int64_t left,
                      int row)
{
    struct buffer *page = icicle->page;
    const struct frame *frame = node->frame;
    enum role role = icicle->side->role;
    struct text bytes = text_bytes((double)node->bytes);
    size_t scenario = scenario_of(icicle->side, frame);
    bool own = scenario < icicle->side->count;
    icicle->count++;
    if (own && icicle->boxes[scenario].number[role] == 0) {
        icicle->boxes[scenario].number[role] = icicle->count;
    }
    buffer_printf(page, "<a class=\"box %s\" id=\"_%s-%u\"", kind_of(frame, own),
                  role_names[role], icicle->count);
    if (own) {
        buffer_text(page, " href=\"#");
        buffer_html(page, icicle->side->list[scenario].name);
        buffer_text(page, "\"");
    }
    place_write(icicle, left, node->bytes, row);
    buffer_printf(page, " data-bytes=\"%s\" data-name=\"", bytes.at);
    buffer_html(page, frame->function);
    buffer_text(page, "\" title=\"");
    buffer_html(page, frame->function);
    buffer_printf(page, ": %s, %.1f %% of the %s heap", bytes.at,
                  100.0 * (double)node->bytes / (double)icicle->total,
                  role_names[role]);
    if (frame->file != NULL) {
        buffer_text(page, "; ");
        buffer_html(page, frame->file);
        buffer_printf(page, ":%u", frame->line);
    }
    buffer_text(page, "\">");
    buffer_html(page, frame->function);
    buffer_printf(page, " %s</a>\n", bytes.at);
}

/* Draws what `parent` called; returns how many rows that took. */
static int children_write(struct icicle *icicle, const struct heap_node *parent,
                          int64_t left, int row)
{
    int most = row;
    for (const struct heap_node *child = parent->children;
         child != NULL && row < ROWS_MAX; child = child->next) {
        if ((double)child->bytes < SHOWN_PART * icicle->scale) {
            break;
        }
        box_write(icicle, child, left, row);
        int rows = children_write(icicle, child, left, row + 1);
        most = rows > most ? rows : most;
        left += child->bytes;
    }
    return most;
}

static void icicle_write(struct buffer *page, const struct judgement *judgement,
                         const struct heap_tree *tree, enum role role, double scale,
                         struct html_boxes *boxes)
{
    struct icicle icicle = {.page = page,
                            .side = &judgement->sides[role],
                            .boxes = boxes,
                            .scale = scale,
                            .total = tree->root.bytes};
    struct text total = text_bytes((double)tree->root.bytes);
    buffer_printf(page, "<h3>The %s heap: %s</h3>", role_names[role], total.at);
    if (tree->root.bytes == 0) {
        buffer_text(page, "<p>The profile holds no stacks with names.</p>");
        return;
    }
    buffer_printf(page,
                  "<div class=\"icicle\" role=\"group\" aria-label=\"The %s heap\" "
                  "data-name=\"%s\"><a class=\"box all\" id=\"_%s-0\"",
                  role_names[role], role_names[role], role_names[role]);
    place_write(&icicle, 0, tree->root.bytes, 0);
    buffer_printf(page,
                  " data-bytes=\"%s\" data-name=\"\" title=\"all of the %s heap: %s\">"
                  "all %s</a>\n",
                  total.at, role_names[role], total.at, total.at);
    int rows = children_write(&icicle, heap_tree_fork(tree), 0, 1);
    /* The height comes after the boxes, because it is not known before. */
    buffer_printf(page, "<i style=\"--r:%d\"></i></div>", rows);
}

static void legend_write(struct buffer *page, const char *scale)
{
    buffer_printf(
        page,
        "<ul class=\"legend\">"
        "<li><b class=\"own\"></b>a scenario's own code: a link to the scenario</li>"
        "<li><b class=\"common\"></b>the lab's other code</li>"
        "<li><b class=\"library\"></b>libraries</li></ul>"
        "<div class=\"zoom\"><p>Full width, in both pictures: <strong id=\"_scale\">%s"
        "</strong> <button id=\"_back\" type=\"button\" hidden disabled>Back (Esc)"
        "</button></p><p id=\"_chosen\" class=\"note\" aria-live=\"polite\">A "
        "function is below its caller. The title of a box has its figures.</p></div>",
        scale);
}

void html_icicles(struct buffer *page, const struct judgement *judgement,
                  struct html_boxes *boxes)
{
    struct heap_tree trees[2];
    for (int role = ROLE_LEAKY; role <= ROLE_FIXED; role++) {
        heap_tree_make(&trees[role], &judgement->sides[role].heap);
    }
    int64_t leaky = trees[ROLE_LEAKY].root.bytes;
    int64_t fixed = trees[ROLE_FIXED].root.bytes;
    double scale = (double)(leaky > fixed ? leaky : fixed);
    buffer_printf(
        page,
        "<section aria-labelledby=\"_heaps\"><h2 id=\"_heaps\">What is in use "
        "at the end</h2><p>The leaky heap holds %s, the fixed heap %s. What "
        "the servers need to write their profiles is left out.</p>",
        text_bytes((double)leaky).at, text_bytes((double)fixed).at);
    buffer_text(page, "<details id=\"_icicles\"><summary>Show who allocated it (names "
                      "the functions)</summary>");
    legend_write(page, text_bytes(scale).at);
    for (int role = ROLE_LEAKY; role <= ROLE_FIXED; role++) {
        icicle_write(page, judgement, &trees[role], (enum role)role, scale, boxes);
        heap_tree_release(&trees[role]);
    }
    buffer_text(page, "</details><p class=\"up\"><a href=\"#_top\">Back to the top</a>"
                      "</p></section>");
}
