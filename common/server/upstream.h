/*
 * The upstream is a small HTTP server that scenarios call over the network, so that the
 * lab needs no other machine: a child process of the server's own, on the loopback
 * address, that ends with the server. Its memory, threads and descriptors are not the
 * server's, and so are not in what the server measures of itself.
 */
#ifndef LAB_SERVER_UPSTREAM_H
#define LAB_SERVER_UPSTREAM_H

#include <stddef.h>
#include <sys/types.h>

/* Room for any URL that upstream_start writes, in bytes. */
#define UPSTREAM_URL_BYTES 32

/* Starts the child, and waits until it listens. It answers GET /body?bytes=N with N
 * bytes of text (1 to 256 MiB), and anything else with 404. Writes its address, such as
 * "http://127.0.0.1:41234", to `url`, which has room for `size` bytes.
 *
 * To be called from the main thread (the child ends when the calling thread does),
 * before any other thread exists and before the heap profiler starts, because the child
 * is a fork. Returns its process id, for upstream_stop, or -errno. */
pid_t upstream_start(char *url, size_t size);

/* Ends the child and waits until it is gone. Does nothing if `pid` is not positive. */
void upstream_stop(pid_t pid);

#endif
