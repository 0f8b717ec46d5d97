/*
 * The names are those that the kernel gives to what has no path: proc(5), "anon_inode".
 */
#include "probe/resources/descriptor_view.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/utf8.h"
#include "probe/process/descriptors.h"
#include "probe/resources/descriptor_tables.h"

#define ADDRESS_SIZE 160

static bool starts(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

/* ---- Sockets ---- */

/* Appends text that is cut where it does not fit. */
__attribute__((format(printf, 2, 3))) static void add(struct descriptor_view *view,
                                                      const char *format, ...)
{
    size_t length = strlen(view->text);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(view->text + length, sizeof(view->text) - length, format, arguments);
    va_end(arguments);
}

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    struct sockaddr_un local;
    struct sockaddr_storage room;
};

/* Writes "127.0.0.1:80", "[::1]:80", "/path" or "@name"; nothing if there is none. */
static void address_write(const union address *address, socklen_t length,
                          char text[ADDRESS_SIZE])
{
    char name[INET6_ADDRSTRLEN];
    text[0] = '\0';
    if (address->any.sa_family == AF_INET && address->v4.sin_port != 0) {
        inet_ntop(AF_INET, &address->v4.sin_addr, name, sizeof(name));
        snprintf(text, ADDRESS_SIZE, "%s:%u", name, ntohs(address->v4.sin_port));
    } else if (address->any.sa_family == AF_INET6 && address->v6.sin6_port != 0) {
        inet_ntop(AF_INET6, &address->v6.sin6_addr, name, sizeof(name));
        snprintf(text, ADDRESS_SIZE, "[%s]:%u", name, ntohs(address->v6.sin6_port));
    } else if (address->any.sa_family == AF_UNIX &&
               length > offsetof(struct sockaddr_un, sun_path)) {
        const char *path = address->local.sun_path;
        bool is_abstract = path[0] == '\0';
        int bytes = (int)(length - offsetof(struct sockaddr_un, sun_path)) -
                    (is_abstract ? 1 : 0);
        snprintf(text, ADDRESS_SIZE, "%s%.*s", is_abstract ? "@" : "", bytes,
                 path + (is_abstract ? 1 : 0));
    }
}

static int option(int fd, int name)
{
    int value = 0;
    socklen_t size = sizeof(value);
    return getsockopt(fd, SOL_SOCKET, name, &value, &size) == 0 ? value : -1;
}

/* What the socket speaks: "tcp", "unix", "netlink". */
static void family_write(int fd, struct descriptor_view *view)
{
    int family = option(fd, SO_DOMAIN);
    int type = option(fd, SO_TYPE);
    const char *name = NULL;
    if (family == AF_INET || family == AF_INET6) {
        name = type == SOCK_STREAM ? "tcp" : type == SOCK_DGRAM ? "udp" : "raw";
    } else if (family == AF_UNIX) {
        name = "unix";
    } else if (family == AF_NETLINK) {
        name = "netlink";
    } else if (family == AF_PACKET) {
        name = "packet";
    }
    if (name != NULL) {
        add(view, "%s", name);
    } else {
        add(view, "socket of family %d", family);
    }
}

static void socket_write(int fd, struct descriptor_view *view)
{
    char own[ADDRESS_SIZE];
    char other[ADDRESS_SIZE];
    union address address = {0};
    socklen_t length = sizeof(address);
    view->text[0] = '\0';
    family_write(fd, view);
    own[0] = other[0] = '\0';
    if (getsockname(fd, &address.any, &length) == 0) {
        address_write(&address, length, own);
    }
    memset(&address, 0, sizeof(address));
    length = sizeof(address);
    if (getpeername(fd, &address.any, &length) == 0) {
        address_write(&address, length, other);
    }
    if (own[0] != '\0') {
        add(view, " %s", own);
    }
    if (other[0] != '\0') {
        add(view, " -> %s", other);
    }
    if (option(fd, SO_ACCEPTCONN) > 0) {
        add(view, " (listens)");
    }
}

/* ---- Everything else ---- */

struct kind_name {
    const char *start; /* of the link */
    enum descriptor_kind kind;
    const char *name;
};

static const struct kind_name pathless[] = {
    {"socket:", FD_SOCKET, "socket"},
    {"pipe:", FD_PIPE, "pipe"},
    {"anon_inode:[eventpoll]", FD_EPOLL, "epoll"},
    {"anon_inode:[eventfd]", FD_EVENT, "eventfd"},
    {"anon_inode:[timerfd]", FD_TIMER, "timerfd"},
    {"anon_inode:[signalfd]", FD_SIGNAL, "signalfd"},
    {"anon_inode:inotify", FD_INOTIFY, "inotify"},
    {"anon_inode:[fanotify]", FD_FANOTIFY, "fanotify"},
    {"anon_inode:[pidfd]", FD_PROCESS, "pidfd"},
    {"pidfd:", FD_PROCESS, "pidfd"},
    {"anon_inode:[userfaultfd]", FD_OTHER, "userfaultfd"},
    {"anon_inode:[perf_event]", FD_OTHER, "perf_event"},
    {"anon_inode:[io_uring]", FD_OTHER, "io_uring"},
    {"anon_inode:[fscontext]", FD_OTHER, "fscontext"},
    {"anon_inode:bpf", FD_OTHER, "bpf"},
    {"anon_inode:", FD_OTHER, "anonymous"},
    {"/memfd:", FD_MEMORY, "memfd"},
    {"/secretmem", FD_MEMORY, "memfd"},
};

static void path_kind(const struct statx *file, struct descriptor_view *view)
{
    view->kind = FD_FILE;
    switch (file->stx_mode & S_IFMT) {
    case S_IFREG:
        view->name = "file";
        break;
    case S_IFDIR:
        view->name = "directory";
        break;
    case S_IFCHR:
    case S_IFBLK:
        view->name = "device";
        break;
    case S_IFIFO:
        view->name = "fifo";
        break;
    default:
        view->name = view->text[0] == '/' ? "file" : "other";
        view->kind = view->text[0] == '/' ? FD_FILE : FD_OTHER;
    }
}

static void kind_find(const struct statx *file, struct descriptor_view *view)
{
    for (size_t i = 0; i < sizeof(pathless) / sizeof(pathless[0]); i++) {
        bool is_file = pathless[i].start[0] == '/';
        if (starts(view->text, pathless[i].start) &&
            (!is_file || S_ISREG(file->stx_mode))) {
            view->kind = pathless[i].kind;
            view->name = pathless[i].name;
            return;
        }
    }
    path_kind(file, view);
}

/* A number that is another one for another file: of device, inode and type. */
static uint64_t number_of(const struct statx *file)
{
    uint64_t device = (uint64_t)file->stx_dev_major << 32 | file->stx_dev_minor;
    uint64_t number = file->stx_ino * 0x9e3779b97f4a7c15U;
    number = (number ^ number >> 32 ^ device) * 0x9e3779b97f4a7c15U;
    return number ^ (file->stx_mode & S_IFMT);
}

int probe_fd_numbers(struct buffer *ret_numbers, int *ret_directory)
{
    /* readdir would allocate its buffer. */
    _Alignas(struct dirent64) char entries[4096];
    ssize_t got;
    int directory = probe_proc_fd_open("fd", O_RDONLY | O_DIRECTORY);
    if (directory < 0) {
        return directory;
    }
    int here = probe_fd_table_is_listed() ? directory : -1;
    while ((got = getdents64(directory, entries, sizeof(entries))) > 0) {
        size_t at = 0;
        while (at < (size_t)got) {
            const struct dirent64 *entry = (const void *)(entries + at);
            at += entry->d_reclen;
            int fd = atoi(entry->d_name);
            if (entry->d_name[0] != '.' && fd != here) {
                buffer_append(ret_numbers, &fd, sizeof(fd));
            }
        }
    }
    int error = got < 0 ? -errno : ret_numbers->error;
    if (error != 0) {
        close(directory);
    } else {
        *ret_directory = directory;
    }
    return error;
}

int probe_fd_view(int directory, int fd, bool addresses,
                  struct descriptor_view *ret_view)
{
    char name[16];
    struct statx file = {0};
    snprintf(name, sizeof(name), "%d", fd);
    ssize_t length =
        readlinkat(directory, name, ret_view->text, sizeof(ret_view->text) - 1);
    /* This thread may have been started by one with a table of its own: then the number
     * means nothing to it. */
    bool is_here = probe_fd_table_is_listed();
    /* A file system that answers slowly, or whose server is this very process, is not
     * asked: what the kernel knows is enough. */
    if (length < 0 || statx(is_here ? fd : directory, is_here ? "" : name,
                            (is_here ? AT_EMPTY_PATH : 0) | AT_STATX_DONT_SYNC,
                            STATX_TYPE | STATX_INO, &file) != 0) {
        return errno == EBADF ? -ENOENT : -errno;
    }
    ret_view->text[length] = '\0';
    ret_view->file = number_of(&file);
    kind_find(&file, ret_view);
    if (ret_view->kind == FD_SOCKET && addresses && is_here) {
        socket_write(fd, ret_view);
    } else if (starts(ret_view->text, "anon_inode:")) {
        memmove(ret_view->text, strchr(ret_view->text, ':') + 1,
                strlen(strchr(ret_view->text, ':')));
    }
    utf8_clean(ret_view->text, strlen(ret_view->text));
    return 0;
}

bool probe_fd_may_be(enum descriptor_kind noted, const struct descriptor_view *view)
{
    switch (noted) {
    case FD_ANY:
        return true;
    case FD_FILE:
        /* /proc/self/fd/7 and /proc/self/ns/net are paths, too. */
        return view->kind == FD_FILE || view->kind == FD_PIPE ||
               view->kind == FD_MEMORY || strcmp(view->name, "other") == 0;
    case FD_QUEUE:
        return view->kind == FD_FILE;
    case FD_OTHER:
        return view->kind == FD_OTHER || view->kind == FD_FILE;
    default:
        return noted == view->kind;
    }
}
