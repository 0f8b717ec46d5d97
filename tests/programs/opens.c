/* Opens a library, and says so. */

#include <dlfcn.h>
#include <stdio.h>

int main(int count, char **arguments)
{
    puts("opens");
    fflush(stdout);
    void *library = count > 1 ? dlopen(arguments[1], RTLD_NOW) : NULL;
    puts(library != NULL ? "opened" : "failed");
    return library != NULL ? 8 : 1;
}
