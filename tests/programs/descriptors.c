/* Opens descriptors in every way that there is, each in a function of its own, and says
 * which function has which: "FUNCTION NUMBER KIND", or "FUNCTION - REASON" where the
 * machine does not have it. New files are in the directory that is its argument. Then
 * "ready"; and when a line comes, closes them in many ways, and says "closed". Ends
 * with its input. */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <linux/perf_event.h>
#include <mntent.h>
#include <mqueue.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/fanotify.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/pidfd.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <unistd.h>

#include "descriptors.h"

int __open_2(const char *path, int flags);
int __open64_2(const char *path, int flags);
int __openat_2(int directory, const char *path, int flags);
int __openat64_2(int directory, const char *path, int flags);
mqd_t __mq_open_2(const char *name, int flags);

#define PATH "/etc/passwd"

static const char *directory; /* for files that are new */

static char *new_name(void)
{
    static char name[4096];
    snprintf(name, sizeof(name), "%s/XXXXXX", directory);
    return name;
}

static char *new_name_with_end(void)
{
    static char name[4096];
    snprintf(name, sizeof(name), "%s/XXXXXX.c", directory);
    return name;
}

static const char *queue_name(void)
{
    static char name[64];
    snprintf(name, sizeof(name), "/descriptors-%d", getpid());
    return name;
}

static sigset_t *no_signals(void)
{
    static sigset_t none;
    sigemptyset(&none);
    return &none;
}

/* ---- Files ---- */

ONE(open, "file", open(PATH, O_RDONLY))
ONE(open_made, "file", open(new_name(), O_CREAT | O_EXCL | O_RDWR, 0600))
ONE(open64, "file", open64(PATH, O_RDONLY))
ONE(openat, "file", openat(AT_FDCWD, PATH, O_RDONLY))
ONE(openat64, "file", openat64(AT_FDCWD, PATH, O_RDONLY))
ONE(open_2, "file", __open_2(PATH, O_RDONLY))
ONE(open64_2, "file", __open64_2(PATH, O_RDONLY))
ONE(openat_2, "file", __openat_2(AT_FDCWD, PATH, O_RDONLY))
ONE(openat64_2, "file", __openat64_2(AT_FDCWD, PATH, O_RDONLY))
ONE(creat, "device", creat("/dev/null", 0600))
ONE(creat64, "device", creat64("/dev/null", 0600))
ONE(open_path, "directory", open("/tmp", O_PATH))
ONE(open_unnamed, "file", open("/tmp", O_TMPFILE | O_RDWR, 0600))
ONE(mkstemp, "file", mkstemp(new_name()))
ONE(mkstemp64, "file", mkstemp64(new_name()))
ONE(mkostemp, "file", mkostemp(new_name(), O_CLOEXEC))
ONE(mkostemp64, "file", mkostemp64(new_name(), O_CLOEXEC))
ONE(mkstemps, "file", mkstemps(new_name_with_end(), 2))
ONE(mkstemps64, "file", mkstemps64(new_name_with_end(), 2))
ONE(mkostemps, "file", mkostemps(new_name_with_end(), 2, O_CLOEXEC))
ONE(mkostemps64, "file", mkostemps64(new_name_with_end(), 2, O_CLOEXEC))
ONE(shm_open, "file", shm_open(queue_name(), O_CREAT | O_RDWR, 0600))
ONE(syscall_openat, "file", syscall(SYS_openat, AT_FDCWD, PATH, O_RDONLY))
ONE(fcntl_dupfd, "pipe", fcntl(STDIN_FILENO, F_DUPFD, 20))
ONE(fcntl64_dupfd, "pipe", fcntl64(STDIN_FILENO, F_DUPFD_CLOEXEC, 20))
ONE(dup, "pipe", dup(STDIN_FILENO))
ONE(dup2, "pipe", dup2(STDIN_FILENO, 200))
ONE(dup3, "pipe", dup3(STDIN_FILENO, 201, O_CLOEXEC))
ONE(syscall_dup, "pipe", syscall(SYS_dup, STDIN_FILENO))
ONE(syscall_dup3, "pipe", syscall(SYS_dup3, STDIN_FILENO, 202, 0))
ONE(syscall_fcntl, "pipe", syscall(SYS_fcntl, STDIN_FILENO, F_DUPFD, 20))

WAY(open_by_handle_at, "directory")
{
    (void)handle;
    union {
        struct file_handle handle;
        char room[sizeof(struct file_handle) + MAX_HANDLE_SZ];
    } file = {.handle = {.handle_bytes = MAX_HANDLE_SZ}};
    int mount;
    int root = open("/tmp", O_RDONLY | O_DIRECTORY);
    fds[0] = name_to_handle_at(AT_FDCWD, "/tmp", &file.handle, &mount, 0) != 0
                 ? -1
                 : open_by_handle_at(root, &file.handle, O_RDONLY);
    int error = errno;
    close(root);
    errno = error;
    return fds[0] < 0 ? -1 : 1;
}

STREAM(fopen, "file", fclose, fopen(PATH, "r"))
STREAM(fopen64, "file", fclose, fopen64(PATH, "r"))
STREAM(freopen, "file", fclose, freopen(PATH, "r", fopen("/dev/null", "r")))
STREAM(freopen64, "file", fclose, freopen64(PATH, "r", fopen("/dev/null", "r")))
STREAM(tmpfile, "file", fclose, tmpfile())
STREAM(tmpfile64, "file", fclose, tmpfile64())
STREAM(popen, "pipe", pclose, popen("exec cat >/dev/null", "w"))
STREAM(setmntent, "file", endmntent, setmntent(PATH, "r"))

WAY(opendir, "directory")
{
    handle->directory = opendir("/tmp");
    fds[0] = dirfd(handle->directory);
    return 1;
}

WAY(mq_open, "message queue")
{
    fds[0] = handle->queue = mq_open(queue_name(), O_CREAT | O_RDWR, 0600, NULL);
    return fds[0] < 0 ? -1 : 1;
}

ONE(mq_open_2, "message queue", __mq_open_2(queue_name(), O_RDWR))

/* ---- Terminals ---- */

ONE(posix_openpt, "device", posix_openpt(O_RDWR | O_NOCTTY))
ONE(getpt, "device", getpt())
TWO(openpty, "device", openpty(&fds[0], &fds[1], NULL, NULL, NULL))

/* ---- Sockets ---- */

static int listener;

static int connected(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    socklen_t length = sizeof(address);
    int client = socket(AF_UNIX, SOCK_STREAM, 0);
    getsockname(listener, (struct sockaddr *)&address, &length);
    if (connect(client, (struct sockaddr *)&address, length) != 0) {
        perror("connect");
        exit(1);
    }
    return client;
}

static void listen_unnamed(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    listener = socket(AF_UNIX, SOCK_STREAM, 0);
    if (bind(listener, (struct sockaddr *)&address, sizeof(sa_family_t)) != 0 ||
        listen(listener, 8) != 0) {
        perror("listen");
        exit(1);
    }
}

ONE(socket, "socket", socket(AF_INET, SOCK_STREAM, 0))
TWO(socketpair, "socket", socketpair(AF_UNIX, SOCK_STREAM, 0, fds))
ONE(accept, "socket", (close(connected()), accept(listener, NULL, NULL)))
ONE(accept4, "socket",
    (close(connected()), accept4(listener, NULL, NULL, SOCK_CLOEXEC)))
ONE(syscall_socket, "socket", syscall(SYS_socket, AF_INET, SOCK_DGRAM, 0))
ONE(syscall_accept, "socket",
    (close(connected()), syscall(SYS_accept4, listener, 0, 0, 0)))
TWO(syscall_socketpair, "socket", syscall(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, fds))

RECEIVED(recvmsg, "pipe", recvmsg(message.pair[1], &message.header.msg_hdr, 0))
RECEIVED(recvmmsg, "pipe", recvmmsg(message.pair[1], &message.header, 1, 0, NULL))
RECEIVED(syscall_recvmsg, "pipe",
         syscall(SYS_recvmsg, message.pair[1], &message.header.msg_hdr, 0))

/* ---- What has no name ---- */

TWO(pipe, "pipe", pipe(fds))
TWO(pipe2, "pipe", pipe2(fds, O_CLOEXEC))
TWO(syscall_pipe2, "pipe", syscall(SYS_pipe2, fds, 0))
ONE(epoll_create, "epoll", epoll_create(1))
ONE(epoll_create1, "epoll", epoll_create1(EPOLL_CLOEXEC))
ONE(syscall_epoll_create1, "epoll", syscall(SYS_epoll_create1, 0))
ONE(eventfd, "eventfd", eventfd(0, 0))
ONE(syscall_eventfd2, "eventfd", syscall(SYS_eventfd2, 0, 0))
ONE(timerfd_create, "timerfd", timerfd_create(CLOCK_MONOTONIC, 0))
ONE(syscall_timerfd_create, "timerfd", syscall(SYS_timerfd_create, CLOCK_MONOTONIC, 0))
ONE(signalfd, "signalfd", signalfd(-1, no_signals(), 0))
ONE(syscall_signalfd4, "signalfd", syscall(SYS_signalfd4, -1, no_signals(), 8, 0))
ONE(inotify_init, "inotify", inotify_init())
ONE(inotify_init1, "inotify", inotify_init1(IN_CLOEXEC))
ONE(syscall_inotify_init1, "inotify", syscall(SYS_inotify_init1, 0))
ONE(fanotify_init, "fanotify", fanotify_init(FAN_CLASS_NOTIF, O_RDONLY))
ONE(memfd_create, "memfd", memfd_create("paper", 0))
ONE(syscall_memfd_create, "memfd", syscall(SYS_memfd_create, "paper", 0))
ONE(syscall_memfd_secret, "memfd", syscall(SYS_memfd_secret, 0))
ONE(pidfd_open, "pidfd", pidfd_open(getpid(), 0))
ONE(syscall_pidfd_open, "pidfd", syscall(SYS_pidfd_open, getpid(), 0))
ONE(syscall_userfaultfd, "userfaultfd", syscall(SYS_userfaultfd, 0))
ONE(fsopen, "fscontext", fsopen("tmpfs", 0))
ONE(syscall_fsopen, "fscontext", syscall(SYS_fsopen, "tmpfs", 0))
ONE(open_tree, "directory", open_tree(AT_FDCWD, "/tmp", 0))
ONE(fspick, "fscontext", fspick(AT_FDCWD, "/", 0))

WAY(pidfd_getfd, "pipe")
{
    (void)handle;
    int process = pidfd_open(getpid(), 0);
    fds[0] = pidfd_getfd(process, STDIN_FILENO, 0);
    int error = errno;
    close(process);
    errno = error;
    return fds[0] < 0 ? -1 : 1;
}

WAY(syscall_io_uring_setup, "io_uring")
{
    struct io_uring_params parameters = {0};
    (void)handle;
    fds[0] = (int)syscall(SYS_io_uring_setup, 1, &parameters);
    return fds[0] < 0 ? -1 : 1;
}

WAY(syscall_perf_event_open, "perf_event")
{
    struct perf_event_attr attributes = {.type = PERF_TYPE_SOFTWARE,
                                         .size = sizeof(attributes),
                                         .config = PERF_COUNT_SW_DUMMY,
                                         .exclude_kernel = 1};
    (void)handle;
    fds[0] = (int)syscall(SYS_perf_event_open, &attributes, 0, -1, -1, 0);
    return fds[0] < 0 ? -1 : 1;
}

/* ---- All of them ---- */

static void tell(const struct way *way)
{
    if (way->count <= 0) {
        printf("%s - %s\n", way->name, strerror(errno));
    }
    for (int i = 0; i < way->count; i++) {
        printf("%s %d %s\n", way->name, way->fds[i], way->kind);
    }
}

static void way_close(struct way *way, int (*close_one)(int fd))
{
    if (way->handle.stream != NULL) {
        way->handle.close_stream(way->handle.stream);
    } else if (way->handle.directory != NULL) {
        closedir(way->handle.directory);
    } else if (way->handle.queue > 0) {
        mq_close(way->handle.queue);
    } else {
        for (int i = 0; i < way->count; i++) {
            close_one(way->fds[i]);
        }
    }
}

static int close_by_number(int fd)
{
    return (int)syscall(SYS_close, fd);
}

static int close_by_range(int fd)
{
    return close_range((unsigned)fd, (unsigned)fd, 0);
}

/* Waits for a line; ends with the input. */
static void wait_for_line(void)
{
    char byte = 0;
    while (byte != '\n') {
        if (read(STDIN_FILENO, &byte, 1) <= 0) {
            exit(4);
        }
    }
}

int main(int count, char **arguments)
{
    static int (*const closers[])(int fd) = {close, close_by_number, close_by_range};
    if (count != 2) {
        return 2;
    }
    directory = arguments[1];
    listen_unnamed();
    mq_close(mq_open(queue_name(), O_CREAT | O_RDWR, 0600, NULL));
    for (struct way *way = ways; way != ways_end; way++) {
        way->count = way->open(way->fds, &way->handle);
        tell(way);
    }
    mq_unlink(queue_name());
    shm_unlink(queue_name());
    puts("ready");
    fflush(stdout);
    wait_for_line();
    for (struct way *way = ways; way != ways_end; way++) {
        way_close(way, closers[(way - ways) % 3]);
    }
    puts("closed");
    fflush(stdout);
    wait_for_line();
    return 0;
}
