/*
 * leakprobe, from inside the program. The library works without this header: it starts
 * by itself when it is preloaded or linked (-lleakprobe). A program that wants to run
 * without it, too, declares nothing else: the functions are weak, so look whether one
 * is there before you call it.
 *
 *     if (leakprobe_url != NULL && leakprobe_url() != NULL) {
 *         log("profiles: %s", leakprobe_url());
 *     }
 */
#ifndef LEAKPROBE_H
#define LEAKPROBE_H

#ifdef __cplusplus
extern "C" {
#endif

/* The address of this process's debug port, "http://127.0.0.1:6060/", or "unix:PATH";
 * NULL if it has none. A forked child has none until it first waits for something. The
 * text is the library's, and changes in a forked child alone. */
const char *leakprobe_url(void) __attribute__((weak, visibility("default")));

/* The library's version, "1.0.0". */
const char *leakprobe_version(void) __attribute__((weak, visibility("default")));

#ifdef __cplusplus
}
#endif

#endif
