#include "leakcheck/report/held_text.h"

#include <stdio.h>
#include <string.h>

#define ALL_OF_IT 0.995 /* a share that is shown as 100 % */

static const char *after(const char *text, const char *start)
{
    size_t length = strlen(start);
    return strncmp(text, start, length) == 0 ? text + length : NULL;
}

/* Of `thread "order": order_await_payment` the function comes first: it holds. Without
 * one it is what the C library keeps for the thread. */
static void thread_write(struct held_text *text, const char *name)
{
    const char *function = strstr(name, "\": ");
    if (function == NULL) {
        snprintf(text->at, sizeof(text->at), "thread \"%.300s", name);
        return;
    }
    snprintf(text->at, sizeof(text->at), "%.300s in thread \"%.*s\"",
             function + strlen("\": "), (int)(function - name), name);
}

/* Whether only the kind of holder is known. */
static bool is_kind(const char *holder)
{
    static const char *const kinds[] = {
        "global without a name", "thread-local without a name", "library that is gone",
        "thread that has ended", "thread"};
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (strcmp(holder, kinds[i]) == 0) {
            return true;
        }
    }
    return false;
}

struct held_text held_text_holder(const char *holder)
{
    struct held_text text;
    const char *name;
    if (is_kind(holder)) {
        snprintf(text.at, sizeof(text.at), "a %.300s", holder);
    } else if (strcmp(holder, "mapping anonymous") == 0) {
        snprintf(text.at, sizeof(text.at), "an anonymous mapping");
    } else if ((name = after(holder, "mapping ")) != NULL) {
        snprintf(text.at, sizeof(text.at), "the mapping of %.300s", name);
    } else if ((name = after(holder, "global ")) != NULL) {
        snprintf(text.at, sizeof(text.at), "%.300s", name);
    } else if ((name = after(holder, "thread \"")) != NULL) {
        thread_write(&text, name);
    } else if ((name = after(holder, "kernel: ")) != NULL) {
        snprintf(text.at, sizeof(text.at), "the kernel (%.300s)", name);
    } else {
        snprintf(text.at, sizeof(text.at), "%.300s", holder);
    }
    return text;
}

bool held_text_is_all(const struct held *held)
{
    return held_share(held) >= ALL_OF_IT;
}

struct held_text held_text(const struct held *held)
{
    struct held_text text;
    char share[16] = "";
    if (!held_text_is_all(held)) {
        snprintf(share, sizeof(share), " (%.0f %%)", 100 * held_share(held));
    }
    if (held_is_lost(held)) {
        snprintf(text.at, sizeof(text.at), "lost: nothing points to it%s", share);
    } else {
        snprintf(text.at, sizeof(text.at), "held by %.360s%s",
                 held_text_holder(held->holder).at, share);
    }
    return text;
}
