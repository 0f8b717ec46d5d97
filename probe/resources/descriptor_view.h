/*
 * The descriptors of this process as the kernel shows them: their numbers, and what
 * each is open on.
 */
#ifndef PROBE_RESOURCES_DESCRIPTOR_VIEW_H
#define PROBE_RESOURCES_DESCRIPTOR_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "probe/resources/descriptor_notes.h"

#define DESCRIPTOR_VIEW_SIZE 512

struct descriptor_view {
    const char *name;          /* of the kind: "file", "socket"; a static text */
    enum descriptor_kind kind; /* FD_OTHER: none of the others */
    uint64_t file; /* the same as long as the descriptor is the same; what is
                      not a file, a socket or a pipe is not told apart */
    char text[DESCRIPTOR_VIEW_SIZE]; /* "/tmp/x", "tcp 127.0.0.1:80 -> ..."; one line */
};

/* Opens /proc/self/fd, and appends the number of each descriptor, an int, to the
 * buffer, but not that of the one by which they are read. The caller closes
 * `*ret_directory`. Returns 0; or -errno, and then nothing need be closed. */
int probe_fd_numbers(struct buffer *ret_numbers, int *ret_directory);

/* Reads what a descriptor is, with the addresses of a socket if they are wanted.
 * `directory` is that of probe_fd_numbers. Waits for no file system. Returns 0; -ENOENT
 * if there is no such descriptor; another -errno. */
int probe_fd_view(int directory, int fd, bool addresses,
                  struct descriptor_view *ret_view);

/* Whether a function that opens descriptors of the kind `noted` may have opened what is
 * seen. */
bool probe_fd_may_be(enum descriptor_kind noted, const struct descriptor_view *view);

#endif
