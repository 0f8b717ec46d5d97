/*
 * System calls that a program makes by number (syscall(2)), and that concern the whole
 * process.
 */
#ifndef PROBE_PRELOAD_PROCESS_CALLS_H
#define PROBE_PRELOAD_PROCESS_CALLS_H

/* Before the system call: stands aside if it is to filter system calls. */
void probe_process_number_begins(long number, const long arguments[6]);

#endif
