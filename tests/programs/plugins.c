/* Opens and closes a library 200 times; keeps a block of it each second time. Then it
 * says so, and waits for the end of its input.
 * usage: plugins LIBRARY BYTES */

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TIMES = 200 };

static char *kept[TIMES];

static void *symbol(void *library, const char *name)
{
    void *found = dlsym(library, name);
    if (found == NULL) {
        fprintf(stderr, "plugins: no %s\n", name);
        exit(1);
    }
    return found;
}

__attribute__((noinline)) static char *plugin_use(const char *path, size_t bytes)
{
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) {
        fprintf(stderr, "plugins: %s\n", dlerror());
        exit(1);
    }
    void (*work)(void) = NULL;
    char *(*keep)(size_t) = NULL;
    *(void **)&work = symbol(library, "plugin_work");
    *(void **)&keep = symbol(library, "plugin_keep");
    work();
    char *block = bytes > 0 ? keep(bytes) : NULL;
    if (dlclose(library) != 0) {
        fprintf(stderr, "plugins: %s\n", dlerror());
        exit(1);
    }
    return block;
}

int main(int count, char **arguments)
{
    if (count != 3) {
        return 2;
    }
    size_t bytes = strtoul(arguments[2], NULL, 10);
    unsigned long sum = 0;
    for (int i = 0; i < TIMES; i++) {
        kept[i] = plugin_use(arguments[1], i % 2 == 0 ? bytes : 0);
        sum += kept[i] == NULL ? 0 : (unsigned long)kept[i][bytes - 1];
    }
    printf("kept %lu\n", sum / 2);
    fflush(stdout);
    char byte = 0;
    while (read(STDIN_FILENO, &byte, 1) > 0) {
    }
    return 5;
}
