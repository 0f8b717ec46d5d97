/*
 * Go, Rust and Node are told by the paths of the files, Java and C++ by the names of
 * the functions.
 */
#include "leakcheck/judge/library_code.h"

#include <stdio.h>
#include <string.h>

static bool starts(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* Whether the frame is in Go's standard library. A directory there ends in
 * src/<package>, and <package> has no dot before its first slash: "net/http", not
 * "github.com/x/y". The program's own package is "main". */
static bool is_go_standard(const struct frame *frame)
{
    const char *function = frame->function == NULL ? "" : frame->function;
    const char *slash = strrchr(function, '/');
    const char *dot = strchr(slash == NULL ? function : slash, '.');
    if (dot == NULL || starts(function, "main.")) {
        return false;
    }
    size_t length = (size_t)(dot - function);
    char directory[256];
    if (length == 0 || length >= sizeof(directory) - 8) {
        return false;
    }
    const char *first = memchr(function, '.', length);
    const char *end = memchr(function, '/', length);
    if (first != NULL && end != NULL && first < end) {
        return false;
    }
    snprintf(directory, sizeof(directory), "src/%.*s/", (int)length, function);
    /* With -trimpath the file is "net/http/server.go". */
    return strstr(frame->file, directory) != NULL || starts(frame->file, directory + 4);
}

/* Whether the file is one of a library or package: C and C++ headers, Rust's library
 * and its crates, Node's own files and its packages. */
static bool is_library_file(const char *file)
{
    static const char *const parts[] = {"/include/c++/", "/.cargo/registry/",
                                        "/.cargo/git/", "/node_modules/",
                                        "/lib/rustlib/src/"};
    if (starts(file, "/usr/include/") || starts(file, "/rustc/") ||
        starts(file, "node:") || starts(file, "node_modules/")) {
        return true;
    }
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        if (strstr(file, parts[i]) != NULL) {
            return true;
        }
    }
    return false;
}

/* Whether the function is one of a standard library, or a name that a profiler makes up
 * for what is no function. */
static bool is_library_function(const char *function)
{
    static const char *const prefixes[] = {"std::",
                                           "<std::",
                                           "__gnu_cxx::",
                                           "_ZNSt",
                                           "_ZNKSt",
                                           "_ZSt",
                                           "_ZN9__gnu_cxx",
                                           "core::",
                                           "<core::",
                                           "alloc::",
                                           "<alloc::",
                                           "hashbrown::",
                                           "<hashbrown::",
                                           "java.",
                                           "javax.",
                                           "jdk.",
                                           "sun.",
                                           "com.sun.",
                                           "java/",
                                           "jdk/",
                                           "sun/",
                                           "(root)",
                                           "(program)",
                                           "(idle)",
                                           "(garbage collector)",
                                           "(V8 API)",
                                           "(anonymous) node:"};
    for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
        if (starts(function, prefixes[i])) {
            return true;
        }
    }
    return false;
}

bool code_is_library(const struct frame *frame)
{
    return (frame->function != NULL && is_library_function(frame->function)) ||
           (frame->file != NULL &&
            (is_library_file(frame->file) || is_go_standard(frame)));
}
