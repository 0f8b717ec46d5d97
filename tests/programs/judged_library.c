/*
 * A library that remembers what it is given, and never forgets: judged.c calls it.
 */
#include "judged_library.h"

#include <stdlib.h>
#include <string.h>

struct memory {
    struct memory *next;
    char text[4000];
};

static struct memory *memories;

int library_remember(const char *text)
{
    struct memory *memory = malloc(sizeof(*memory)); /* LEAK library */
    if (memory == NULL) {
        return -1;
    }
    memset(memory->text, 0, sizeof(memory->text));
    strncpy(memory->text, text, sizeof(memory->text) - 1);
    memory->next = memories;
    memories = memory;
    return 0;
}
