/* Blocks that the variables of a library hold: of one that is linked, or in an archive;
 * or that is opened now (LIBRARY names its file). */
#include <dlfcn.h>

#include "cases.h"
#include "store.h"

static APART void *linked_make(void)
{
    return TOLD(malloc(610));
}

/* 1: 610 @ linked_make < global store_kept */
static void case_linked(void)
{
    store_keep(linked_make());
}

static APART void *own_make(void)
{
    return TOLD(malloc(620));
}

/* 1: 620 @ own_make < thread-local store_own */
static void case_linked_local(void)
{
    store_keep_own(own_make());
}

typedef void keep_function(void *block);

static keep_function *keep_find(const char *name)
{
    void *library = dlopen(getenv("LIBRARY"), RTLD_NOW);
    void *found = library == NULL ? NULL : dlsym(library, name);
    if (found == NULL) {
        abort();
    }
    return (keep_function *)found;
}

static APART void *opened_make(void)
{
    return TOLD(malloc(630));
}

/* 1: 630 @ opened_make < global store_kept */
static void case_opened(void)
{
    keep_find("store_keep")(opened_make());
}

static APART void *opened_own_make(void)
{
    return TOLD(malloc(640));
}

/* 1: 640 @ opened_own_make < thread-local store_own */
static void case_opened_local(void)
{
    keep_find("store_keep_own")(opened_own_make());
}

int main(int argc, char **argv)
{
    static const struct held_case cases[] = {
        {"linked", case_linked, false},
        {"linked_local", case_linked_local, true},
        {"opened", case_opened, false},
        {"opened_local", case_opened_local, true},
    };
    return cases_main(cases, sizeof(cases) / sizeof(cases[0]), argc, argv);
}
