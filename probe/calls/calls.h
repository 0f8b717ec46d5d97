/*
 * The functions of this folder stand in front of the C library's of the same names, in
 * the servers and in the library for other programs. Each calls the real one, and notes
 * what it has made, ended, or waits for. A sanitizer has that place itself: its builds
 * are without this folder.
 *
 * plain_calls.c and the like are not in the library for other programs: there these
 * functions have more to do (probe/preload/), and note the same beside that.
 */
#ifndef PROBE_CALLS_CALLS_H
#define PROBE_CALLS_CALLS_H

/* Looks for all real functions: dlsym must not be called in a signal handler. NULL in a
 * build without this folder. */
void probe_calls_prepare(void) __attribute__((weak));

/* The addresses of these functions: the linker puts them side by side. Both are NULL in
 * a build without this folder. */
extern const char probe_calls_begin[] __asm__("__start_probe_calls")
    __attribute__((weak, visibility("hidden")));
extern const char probe_calls_end[] __asm__("__stop_probe_calls")
    __attribute__((weak, visibility("hidden")));

#endif
