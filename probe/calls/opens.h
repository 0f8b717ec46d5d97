/*
 * A function that opens one descriptor, or two, and does nothing else that is noted:
 * OPENS(kind, name, parameters, arguments). The stack of what it opens begins with its
 * caller.
 */
#ifndef PROBE_CALLS_OPENS_H
#define PROBE_CALLS_OPENS_H

#include "probe/calls/real_function.h"
#include "probe/resources/descriptor_notes.h"

#define FRAME __builtin_frame_address(0)

/* NOLINTBEGIN(bugprone-macro-parentheses): lists of parameters are in their own */
#define OPENS(kind, function, parameters, arguments)                                   \
    int function parameters;                                                           \
    PROBE_REAL(function)                                                               \
    PROBE_EXPORT int function parameters                                               \
    {                                                                                  \
        int got = function##_real() arguments;                                         \
        probe_fd_made(got, kind, FRAME);                                               \
        return got;                                                                    \
    }

/* The same for two descriptors, which it writes to the array `pair`. */
#define OPENS_PAIR(kind, function, parameters, arguments)                              \
    int function parameters;                                                           \
    PROBE_REAL(function)                                                               \
    PROBE_EXPORT int function parameters                                               \
    {                                                                                  \
        int got = function##_real() arguments;                                         \
        probe_fds_made(got, pair, kind, FRAME);                                        \
        return got;                                                                    \
    }
/* NOLINTEND(bugprone-macro-parentheses) */

#endif
