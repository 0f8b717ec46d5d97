/*
 * In the servers: functions that wait, and also make or end something that is noted.
 * Results, errno and cancellation are those of the C library. For the cleanup of a
 * thread that is cancelled, this file is compiled with -fexceptions.
 */
/* With it, the headers would define some of these functions themselves. */
#undef _FORTIFY_SOURCE

#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <threads.h>

#include "probe/calls/real_function.h"
#include "probe/locks/lock_waits.h"
#include "probe/resources/child_notes.h"
#include "probe/resources/descriptor_notes.h"
#include "probe/resources/thread_notes.h"

/* NOLINTBEGIN(bugprone-macro-parentheses): lists of arguments are in their own */
#define WAITED(is_pure, result, function, parameters, arguments, before, after)        \
    PROBE_REAL(function)                                                               \
    PROBE_EXPORT result function parameters                                            \
    {                                                                                  \
        before;                                                                        \
        result got = function##_real() arguments;                                      \
        after;                                                                         \
        return got;                                                                    \
    }
#include "probe/calls/waited_list.h"
#undef WAITED
/* NOLINTEND(bugprone-macro-parentheses) */
