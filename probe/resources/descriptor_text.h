/*
 * What a descriptor is open on, as the kernel shows it.
 */
#ifndef PROBE_RESOURCES_DESCRIPTOR_TEXT_H
#define PROBE_RESOURCES_DESCRIPTOR_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "probe/resources/descriptor_notes.h"

#define DESCRIPTOR_TEXT_SIZE 512

struct descriptor_view {
    const char *name;          /* of the kind: "file", "socket"; a static text */
    enum descriptor_kind kind; /* FD_OTHER: none of the others */
    uint64_t file; /* the same as long as the descriptor is the same; what is
                      not a file, a socket or a pipe is not told apart */
    char text[DESCRIPTOR_TEXT_SIZE]; /* "/tmp/x", "tcp 127.0.0.1:80 -> ..."; one line */
};

/* Reads what a descriptor of this process is. `directory` is /proc/self/fd. Waits for
 * no file system. Returns 0; -ENOENT if there is no such descriptor; another -errno. */
int probe_fd_view(int directory, int fd, struct descriptor_view *ret_view);

/* Whether a function that opens descriptors of the kind `noted` may have opened what is
 * seen. */
bool probe_fd_may_be(enum descriptor_kind noted, const struct descriptor_view *view);

#endif
