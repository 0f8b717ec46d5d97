/*
 * A toolkit builds a window with a button in it. Both are objects with a reference
 * count and a finalizer, which releases what the object holds.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/object.h"
#include "scenario.h"

#define ROW_BYTES 256

struct widget {
    struct object object;
    size_t bytes;          /* in all */
    struct widget *parent; /* the widget around it; NULL for a window */
    struct widget *child;  /* the widget in it, which it owns; NULL for a button */
    unsigned char pixels[];
};

static atomic_size_t widgets_alive;

/* Gives `child` a reference to the widget around it. */
static void widget_hold_parent(struct widget *child, struct widget *parent)
{
    /* LEAK: the parent holds the child too, so neither count can ever reach zero. */
    object_retain(&parent->object);
    child->parent = parent;
}

static void widget_drop_parent(struct widget *child)
{
    if (child->parent != NULL) {
        object_release(&child->parent->object);
    }
}

/* The finalizer: runs when the reference count of the widget reaches zero. */
static void widget_finalize(struct object *object)
{
    struct widget *widget = (struct widget *)object;
    widget_drop_parent(widget);
    if (widget->child != NULL) {
        object_release(&widget->child->object);
    }
    atomic_fetch_sub(&widgets_alive, 1);
}

/* Makes a widget of `bytes` bytes in all, with `label` at the end of its pixels and one
 * reference, which the caller releases; NULL when memory is short. */
static struct widget *widget_draw(const char *label, size_t bytes)
{
    struct widget *widget = malloc(bytes);
    if (widget == NULL) {
        return NULL;
    }
    memset(widget, 0, bytes);
    object_init(&widget->object, widget_finalize);
    widget->bytes = bytes;
    size_t size = strlen(label) + 1;
    memcpy((unsigned char *)widget + bytes - size, label, size);
    atomic_fetch_add(&widgets_alive, 1);
    return widget;
}

/* A checksum of the last row of pixels, where the label is; 0 for no widget. */
static uint32_t widget_look(const struct widget *widget)
{
    if (widget == NULL) {
        return 0;
    }
    const unsigned char *end = (const unsigned char *)widget + widget->bytes;
    return scenario_digest(end - ROW_BYTES, ROW_BYTES);
}

/* Opens a window with a button, and closes it again. */
static int window_show(const struct scenario_request *request,
                       struct scenario_answer *answer)
{
    struct widget *window = widget_draw(request->id, request->bytes);
    if (window == NULL) {
        return -ENOMEM;
    }
    struct widget *button = widget_draw("close", request->bytes);
    if (button == NULL) {
        object_release(&window->object);
        return -ENOMEM;
    }
    window->child = button;
    widget_hold_parent(button, window);
    scenario_answer_set(answer, "window %08x, button %08x, %zu bytes",
                        widget_look(button->parent), widget_look(window->child),
                        window->bytes + button->bytes);
    object_release(&window->object);
    return 0;
}

static size_t widgets_count(void)
{
    return atomic_load(&widgets_alive);
}

const struct scenario finalizer_cycle_scenario = {
    .name = "finalizer-cycle",
    .family = "finalizer-cycles",
    .title = "Two objects that hold each other",
    .kind = SCENARIO_PERMANENT,
    .story = "A toolkit opens a window with a button and closes it. The window has a "
             "reference to its button, and the button to its window.",
    .symptom = "In-use heap climbs by both objects with every request, and neither "
               "finalizer ever runs.",
    .cause = "Both references are strong. Closing the window takes its count from two "
             "to one. The last reference is the button's, and only the window can free "
             "the button.",
    .fix = "The button's reference to its window is weak: it does not count. So the "
           "window is freed, and its finalizer releases the button.",
    .find_it = "Compare two dumps (google-pprof or go tool pprof, with --text --base): "
               "widget_draw owns what grew. Then draw which object refers to which, "
               "and look for a cycle.",
    .bytes_default = 1024 * 1024,
    .bytes_min = 1024,
    .bytes_max = 128 * 1024 * 1024,
    .bytes_meaning = "one object",
    .leaves = {.blocks = 2},
    .suspect = "widget_draw",
    .run = window_show,
    .held = widgets_count,
};
