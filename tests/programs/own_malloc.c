/* A program with an allocator of its own, which a library that is loaded cannot stand
 * before. Never gives memory back. */

#include <stddef.h>
#include <stdio.h>
#include <string.h>

static _Alignas(16) char space[4 << 20];
static size_t used;

void *malloc(size_t bytes)
{
    size_t rounded = (bytes + 31) & ~(size_t)15;
    size_t at = __atomic_fetch_add(&used, rounded, __ATOMIC_RELAXED);
    if (at + rounded > sizeof(space)) {
        return NULL;
    }
    memcpy(space + at, &bytes, sizeof(bytes));
    return space + at + 16;
}

void free(void *block)
{
    (void)block;
}

void *calloc(size_t count, size_t bytes)
{
    return malloc(count * bytes);
}

void *realloc(void *block, size_t bytes)
{
    size_t before = 0;
    void *moved = malloc(bytes);
    if (block != NULL && moved != NULL) {
        memcpy(&before, (char *)block - 16, sizeof(before));
        memcpy(moved, block, before < bytes ? before : bytes);
    }
    return moved;
}

int main(void)
{
    char *text = malloc(100);
    if (text == NULL) {
        return 1;
    }
    snprintf(text, 100, "own %d", text >= space && text < space + sizeof(space));
    puts(text);
    fflush(stdout);
    free(text);
    return getchar() == EOF ? 3 : 1;
}
