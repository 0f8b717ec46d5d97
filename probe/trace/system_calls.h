/*
 * Short words for the system calls that threads wait in.
 */
#ifndef PROBE_TRACE_SYSTEM_CALLS_H
#define PROBE_TRACE_SYSTEM_CALLS_H

/* The word for a system call: "futex", "sleep"; NULL for one that is not listed. */
const char *probe_system_call_word(long number);

#endif
