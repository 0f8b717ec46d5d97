/*
 * The upstream is a small HTTP server that scenarios call over the network, so the lab
 * needs no other machine. It is a child process of the server, listens on the loopback
 * address, and ends with the server. Its memory, threads and descriptors are not
 * counted as the server's.
 */
#ifndef LAB_SERVER_UPSTREAM_H
#define LAB_SERVER_UPSTREAM_H

#include <stddef.h>
#include <sys/types.h>

/* The bytes that upstream_start needs for the URL at most. */
#define UPSTREAM_URL_BYTES 32

/* Starts the child and waits until it listens. It answers GET /body?bytes=N with N
 * bytes of text (1 byte to 256 MiB), and everything else with 404. Writes its URL, such
 * as "http://127.0.0.1:41234", to `url`, which has `size` bytes.
 *
 * Call it from the main thread, because the child ends when the calling thread does;
 * and before other threads exist and the heap profiler starts, because the child is a
 * fork. Returns the child's process id, for upstream_stop, or -errno. */
pid_t upstream_start(char *url, size_t size);

/* Ends the child and waits until it has ended. Does nothing if `pid` is not
 * positive. */
void upstream_stop(pid_t pid);

#endif
