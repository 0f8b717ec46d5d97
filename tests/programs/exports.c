/* A program with functions of its own that are named as those of libraries, and
 * exported: the loader prefers them to a library's. None of them may be called from
 * elsewhere. */

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define MINE(name)                                                                     \
    void name(void);                                                                   \
    void name(void)                                                                    \
    {                                                                                  \
        fprintf(stderr, "exports: %s was called\n", #name);                            \
        abort();                                                                       \
    }

MINE(cJSON_Parse)
MINE(cJSON_Print)
MINE(mg_start)
MINE(mg_stop)
MINE(unw_backtrace)
MINE(unw_step)
MINE(unw_init_local)
MINE(_ULx86_64_step)
MINE(_ULx86_64_init_local)
MINE(dwfl_begin)
MINE(dwfl_report_end)
MINE(dwfl_module_addrinfo)
MINE(elf_begin)
MINE(buffer_add)
MINE(buffer_init)
MINE(probe_inside)
MINE(probe_route_answer)
MINE(probe_heap_snapshot)
MINE(json_string)
MINE(listener_start)
MINE(clock_seconds)

static char *volatile blocks[50];

__attribute__((noinline)) static void keep(int number)
{
    blocks[number] = malloc(1000);
}

int main(void)
{
    for (int i = 0; i < 50; i++) {
        keep(i);
    }
    puts("ready");
    fflush(stdout);
    char byte = 0;
    while (read(STDIN_FILENO, &byte, 1) > 0) {
    }
    return 4;
}
