/*
 * The libraries of the sanitizers that bring allocation records of their own. A program
 * with one of them fails if another library stands before it.
 */
#ifndef BASE_SANITIZER_NAMES_H
#define BASE_SANITIZER_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/* Whether the name of a library, such as "libasan.so.8", is one of them. */
static inline bool is_sanitizer_name(const char *library)
{
    static const char *const starts[] = {"libasan.so", "libtsan.so", "liblsan.so",
                                         "libhwasan.so", "libclang_rt."};
    for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
        if (strncmp(library, starts[i], strlen(starts[i])) == 0) {
            return true;
        }
    }
    return false;
}

#endif
