#include "leakcheck/report/held_text.h"

#include <stdio.h>
#include <string.h>

#define ALL_OF_IT 0.995 /* a share that is shown as 100 % */

static const char *after(const char *text, const char *start)
{
    size_t length = strlen(start);
    return strncmp(text, start, length) == 0 ? text + length : NULL;
}

/* `thread "order": order_await_payment`: in whose stack it is. Without a function it is
 * in what the C library keeps for the thread. */
static void thread_write(struct held_text *text, const char *name)
{
    const char *function = strstr(name, "\": ");
    if (function == NULL) {
        snprintf(text->at, sizeof(text->at), "thread \"%.300s", name);
        return;
    }
    snprintf(text->at, sizeof(text->at), "the stack of thread \"%.*s\" (%.300s)",
             (int)(function - name), name, function + strlen("\": "));
}

struct held_text held_text_holder(const char *holder)
{
    struct held_text text;
    const char *name;
    if (strcmp(holder, "global without a name") == 0 ||
        strcmp(holder, "library that is gone") == 0 || strcmp(holder, "thread") == 0) {
        snprintf(text.at, sizeof(text.at), "a %.300s", holder);
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

struct held_text held_text(const struct held *held)
{
    struct held_text text;
    char share[16] = "";
    if (held_share(held) < ALL_OF_IT) {
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
