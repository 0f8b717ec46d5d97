/*
 * Which frames are left out is decided by the file that they are in, because Debian's
 * C library does not name all its functions.
 */
#include "probe/trace/trace_frames.h"

#include <stdbool.h>
#include <string.h>

#include "probe/symbols/symbols.h"

/* What every process has below or above its own functions: the C library, the dynamic
 * linker, the kernel's [vdso], and a sanitizer that wraps them. */
static const char *const runtimes[] = {
    "libc.", "libc-", "libpthread", "ld-", "[vdso]", "libasan", "libtsan", "libubsan",
};

static bool is_runtime(uintptr_t address)
{
    const struct module *module = probe_symbols_module(address);
    if (module == NULL) {
        return false;
    }
    const char *slash = strrchr(module->path, '/');
    const char *name = slash == NULL ? module->path : slash + 1;
    for (size_t i = 0; i < sizeof(runtimes) / sizeof(runtimes[0]); i++) {
        if (strncmp(name, runtimes[i], strlen(runtimes[i])) == 0) {
            return true;
        }
    }
    return false;
}

/* The first address of the function; the address itself if it is in no module that is
 * known. */
static uintptr_t function_of(uintptr_t address)
{
    struct symbol symbol;
    return probe_symbols_find(address, &symbol) ? symbol.start : address;
}

/* Whether the program's own first instructions are here, which call main through the C
 * library. */
static bool is_entry(uintptr_t address)
{
    struct symbol symbol;
    return probe_symbols_find(address, &symbol) &&
           strcmp(symbol.function, "_start") == 0;
}

void probe_trace_frames(const uintptr_t *stack, size_t depth,
                        struct trace_frame *frames, struct trace_sight *sight)
{
    size_t outer = depth; /* the frames from here on are left out */
    if (outer > 0 && is_entry(stack[outer - 1])) {
        outer--;
    }
    while (outer > 0 && is_runtime(stack[outer - 1])) {
        outer--;
    }
    size_t inner = 0; /* and those before this one */
    while (inner < outer && is_runtime(stack[inner])) {
        inner++;
    }
    if (outer == 0 && depth > 0) {
        /* A thread of the C library's own. Its first two functions are those of every
         * thread: clone3 and start_thread. */
        outer = depth > 2 ? depth - 2 : depth;
        inner = outer - 1;
    }
    for (size_t i = inner; i < outer; i++) {
        frames[outer - 1 - i].function = function_of(stack[i]);
        frames[outer - 1 - i].address = stack[i];
    }
    sight->frames = frames;
    sight->depth = outer - inner;
    sight->callee = inner > 0 ? function_of(stack[inner - 1]) : 0;
}
