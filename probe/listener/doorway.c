#include "probe/listener/doorway.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define WAITING_MOST                                                                   \
    64 /* connections that the kernel keeps until they are accepted                    \
        */
#define PORT_MOST 65535
#define KIND (SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK)

static struct sockaddr_in loopback(int port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET,
        .sin_port = htons((uint16_t)port),
        .sin_addr = {htonl(INADDR_LOOPBACK)},
    };
}

/* Binds to the port and listens. Returns the socket or -errno. */
static int listen_port(int port, int *ret_port)
{
    int fd = socket(AF_INET, KIND, 0);
    if (fd < 0) {
        return -errno;
    }
    struct sockaddr_in address = loopback(port);
    socklen_t size = sizeof(address);
    /* Connections of an earlier process that are not quite over do not keep the port
     * from us. A socket that listens there still does. */
    int yes = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    if (bind(fd, (struct sockaddr *)&address, size) != 0 ||
        listen(fd, WAITING_MOST) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &size) != 0) {
        int error = -errno;
        close(fd);
        return error;
    }
    *ret_port = ntohs(address.sin_port);
    return fd;
}

int probe_doorway_open_port(struct doorway *doorway, int port, unsigned ports,
                            int fd_from)
{
    int fd = -EADDRINUSE;
    int found = 0;
    for (unsigned i = 0; i < ports && fd == -EADDRINUSE; i++) {
        if (port + (int)i <= PORT_MOST) {
            fd = listen_port(port == 0 ? 0 : port + (int)i, &found);
        }
    }
    if (fd < 0) {
        return fd;
    }
    *doorway = (struct doorway){.socket = {.fd = -1}, .port = found};
    return probe_own_socket_take(&doorway->socket, fd, fd_from);
}

/* Removes a socket's file at which nobody answers. Returns 0 or -errno. */
static int remove_stale(const struct sockaddr_un *address)
{
    struct stat file;
    if (lstat(address->sun_path, &file) != 0) {
        return errno == ENOENT ? 0 : -errno;
    }
    if (!S_ISSOCK(file.st_mode)) {
        return -EEXIST;
    }
    int fd = socket(AF_UNIX, KIND, 0);
    if (fd < 0) {
        return -errno;
    }
    int error = connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0
                    ? 0
                    : errno;
    close(fd);
    if (error != ECONNREFUSED) {
        return error == ENOENT ? 0 : -EADDRINUSE;
    }
    return unlink(address->sun_path) == 0 || errno == ENOENT ? 0 : -errno;
}

/* Binds to the path and listens. Returns the socket or -errno. */
static int listen_path(const struct sockaddr_un *address)
{
    int fd = socket(AF_UNIX, KIND, 0);
    if (fd < 0) {
        return -errno;
    }
    /* On Linux the file gets the mode of the socket, so it is never open to others, not
     * even for a moment. The umask belongs to the program. */
    if (fchmod(fd, S_IRUSR | S_IWUSR) != 0 ||
        bind(fd, (const struct sockaddr *)address, sizeof(*address)) != 0 ||
        listen(fd, WAITING_MOST) != 0) {
        int error = -errno;
        close(fd);
        return error;
    }
    return fd;
}

/* The program may change its directory, so the path is made absolute. Returns 0 or
 * -errno. */
static int path_absolute(const char *path, char *absolute, size_t size)
{
    char directory[PATH_MAX] = "";
    if (path[0] != '/' && getcwd(directory, sizeof(directory)) == NULL) {
        return -errno;
    }
    int length =
        snprintf(absolute, size, "%s%s%s", directory, path[0] == '/' ? "" : "/", path);
    return length > 0 && (size_t)length < size ? 0 : -ENAMETOOLONG;
}

static int open_path(struct doorway *doorway, int fd_from)
{
    struct stat file;
    int error = remove_stale(&doorway->address);
    int fd = error == 0 ? listen_path(&doorway->address) : error;
    if (fd < 0) {
        return fd;
    }
    if (lstat(doorway->address.sun_path, &file) == 0) {
        doorway->device = file.st_dev;
        doorway->inode = file.st_ino;
        doorway->owner = getpid();
    }
    return probe_own_socket_take(&doorway->socket, fd, fd_from);
}

int probe_doorway_open_path(struct doorway *doorway, const char *path, int fd_from)
{
    *doorway = (struct doorway){.socket = {.fd = -1}, .address.sun_family = AF_UNIX};
    int error = path_absolute(path, doorway->address.sun_path,
                              sizeof(doorway->address.sun_path));
    return error != 0 ? error : open_path(doorway, fd_from);
}

int probe_doorway_reopen(struct doorway *doorway, int fd_from)
{
    if (doorway->port == 0) {
        return open_path(doorway, fd_from);
    }
    int port;
    int fd = listen_port(doorway->port, &port);
    return fd < 0 ? fd : probe_own_socket_take(&doorway->socket, fd, fd_from);
}

int probe_doorway_accept(struct doorway *doorway)
{
    int fd;
    do {
        fd = accept4(atomic_load(&doorway->socket.fd), NULL, NULL,
                     SOCK_CLOEXEC | SOCK_NONBLOCK);
    } while (fd < 0 && errno == EINTR);
    return fd < 0 ? -errno : fd;
}

void probe_doorway_knock(const struct doorway *doorway)
{
    struct sockaddr_in inet = loopback(doorway->port);
    bool port = doorway->port != 0;
    const void *address = port ? (const void *)&inet : &doorway->address;
    int fd = socket(port ? AF_INET : AF_UNIX, KIND, 0);
    if (fd >= 0) {
        (void)connect(fd, address, port ? sizeof(inet) : sizeof(doorway->address));
        close(fd);
    }
}

void probe_doorway_close(struct doorway *doorway)
{
    struct stat file;
    probe_own_socket_close(&doorway->socket);
    if (doorway->owner == getpid() && lstat(doorway->address.sun_path, &file) == 0 &&
        file.st_dev == doorway->device && file.st_ino == doorway->inode) {
        unlink(doorway->address.sun_path);
    }
}
