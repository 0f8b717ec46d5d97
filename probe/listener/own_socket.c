#include "probe/listener/own_socket.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "probe/process/descriptors.h"

int probe_own_socket_take(struct own_socket *own, int fd, int from)
{
    struct stat file;
    int moved = probe_descriptors_from() != 0 ? probe_descriptor_keep(fd)
                                              : probe_descriptor_move(fd, from);
    if (moved < 0) {
        return moved;
    }
    if (fstat(moved, &file) != 0) {
        int error = -errno;
        probe_descriptor_forget(moved);
        close(moved);
        return error;
    }
    own->device = file.st_dev;
    own->inode = file.st_ino;
    atomic_store(&own->fd, moved);
    return 0;
}

bool probe_own_socket_check(struct own_socket *own)
{
    struct stat file;
    int fd = atomic_load(&own->fd);
    if (fd >= 0 && fstat(fd, &file) == 0 && file.st_dev == own->device &&
        file.st_ino == own->inode) {
        return true;
    }
    atomic_store(&own->fd, -1);
    probe_descriptor_forget(fd);
    return false;
}

void probe_own_socket_close(struct own_socket *own)
{
    if (probe_own_socket_check(own)) {
        /* The number is no longer ours before the program can get it. */
        int fd = atomic_exchange(&own->fd, -1);
        probe_descriptor_forget(fd);
        close(fd);
    }
}
