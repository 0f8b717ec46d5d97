#include "probe/resources/descriptor_notes.h"

void probe_fd_made(int fd, const void *frame)
{
    (void)fd, (void)frame;
}

void probe_fds_received(ssize_t result, const struct msghdr *message, const void *frame)
{
    (void)result, (void)message, (void)frame;
}

void probe_fds_received_all(int count, const struct mmsghdr *messages,
                            const void *frame)
{
    (void)count, (void)messages, (void)frame;
}

void probe_fd_gone(int fd)
{
    (void)fd;
}

void probe_fds_gone(unsigned first, unsigned last)
{
    (void)first, (void)last;
}

struct resource_note probe_fd_note(int fd)
{
    (void)fd;
    return (struct resource_note){0};
}
