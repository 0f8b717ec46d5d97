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

int __open_2(const char *path, int flags);
int __open64_2(const char *path, int flags);
int __openat_2(int directory, const char *path, int flags);
int __openat64_2(int directory, const char *path, int flags);
mqd_t __mq_open_2(const char *name, int flags);

#define PATH "/etc/passwd"

/* A stream or directory that a function has opened; it is closed as such. */
struct handle {
    FILE *stream;
    int (*close_stream)(FILE *stream);
    DIR *directory;
    mqd_t queue; /* 0: none */
};

struct way {
    const char *name;
    const char *kind;
    int (*open)(int fds[2], struct handle *handle); /* returns how many; -1 */
    int fds[2];
    int count;
    struct handle handle;
};

/* The function `way_NAME`, which opens one by this expression. */
#define ONE(name, expression)                                                          \
    __attribute__((noinline)) static int way_##name(int fds[2], struct handle *handle) \
    {                                                                                  \
        (void)handle;                                                                  \
        fds[0] = (int)(expression);                                                    \
        return fds[0] < 0 ? -1 : 1;                                                    \
    }

/* One that opens two. */
#define TWO(name, expression)                                                          \
    __attribute__((noinline)) static int way_##name(int fds[2], struct handle *handle) \
    {                                                                                  \
        (void)handle;                                                                  \
        return (expression) < 0 ? -1 : 2;                                              \
    }

/* One that opens a stream. */
#define STREAM(name, closer, expression)                                               \
    __attribute__((noinline)) static int way_##name(int fds[2], struct handle *handle) \
    {                                                                                  \
        handle->stream = (expression);                                                 \
        handle->close_stream = (closer);                                               \
        fds[0] = handle->stream == NULL ? -1 : fileno(handle->stream);                 \
        return fds[0] < 0 ? -1 : 1;                                                    \
    }

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

ONE(open, open(PATH, O_RDONLY))
ONE(open_made, open(new_name(), O_CREAT | O_EXCL | O_RDWR, 0600))
ONE(open64, open64(PATH, O_RDONLY))
ONE(openat, openat(AT_FDCWD, PATH, O_RDONLY))
ONE(openat64, openat64(AT_FDCWD, PATH, O_RDONLY))
ONE(open_2, __open_2(PATH, O_RDONLY))
ONE(open64_2, __open64_2(PATH, O_RDONLY))
ONE(openat_2, __openat_2(AT_FDCWD, PATH, O_RDONLY))
ONE(openat64_2, __openat64_2(AT_FDCWD, PATH, O_RDONLY))
ONE(creat, creat("/dev/null", 0600))
ONE(creat64, creat64("/dev/null", 0600))
ONE(open_path, open("/tmp", O_PATH))
ONE(open_unnamed, open("/tmp", O_TMPFILE | O_RDWR, 0600))
ONE(mkstemp, mkstemp(new_name()))
ONE(mkstemp64, mkstemp64(new_name()))
ONE(mkostemp, mkostemp(new_name(), O_CLOEXEC))
ONE(mkostemp64, mkostemp64(new_name(), O_CLOEXEC))
ONE(mkstemps, mkstemps(new_name_with_end(), 2))
ONE(mkstemps64, mkstemps64(new_name_with_end(), 2))
ONE(mkostemps, mkostemps(new_name_with_end(), 2, O_CLOEXEC))
ONE(mkostemps64, mkostemps64(new_name_with_end(), 2, O_CLOEXEC))
ONE(shm_open, shm_open(queue_name(), O_CREAT | O_RDWR, 0600))
ONE(syscall_openat, syscall(SYS_openat, AT_FDCWD, PATH, O_RDONLY))
ONE(fcntl_dupfd, fcntl(STDIN_FILENO, F_DUPFD, 20))
ONE(fcntl64_dupfd, fcntl64(STDIN_FILENO, F_DUPFD_CLOEXEC, 20))
ONE(dup, dup(STDIN_FILENO))
ONE(dup2, dup2(STDIN_FILENO, 200))
ONE(dup3, dup3(STDIN_FILENO, 201, O_CLOEXEC))
ONE(syscall_dup, syscall(SYS_dup, STDIN_FILENO))
ONE(syscall_dup3, syscall(SYS_dup3, STDIN_FILENO, 202, 0))
ONE(syscall_fcntl, syscall(SYS_fcntl, STDIN_FILENO, F_DUPFD, 20))

__attribute__((noinline)) static int way_open_by_handle_at(int fds[2],
                                                           struct handle *handle)
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

STREAM(fopen, fclose, fopen(PATH, "r"))
STREAM(fopen64, fclose, fopen64(PATH, "r"))
STREAM(freopen, fclose, freopen(PATH, "r", fopen("/dev/null", "r")))
STREAM(freopen64, fclose, freopen64(PATH, "r", fopen("/dev/null", "r")))
STREAM(tmpfile, fclose, tmpfile())
STREAM(tmpfile64, fclose, tmpfile64())
STREAM(popen, pclose, popen("exec cat >/dev/null", "w"))
STREAM(setmntent, endmntent, setmntent(PATH, "r"))

__attribute__((noinline)) static int way_opendir(int fds[2], struct handle *handle)
{
    handle->directory = opendir("/tmp");
    fds[0] = dirfd(handle->directory);
    return 1;
}

__attribute__((noinline)) static int way_mq_open(int fds[2], struct handle *handle)
{
    fds[0] = handle->queue = mq_open(queue_name(), O_CREAT | O_RDWR, 0600, NULL);
    return fds[0] < 0 ? -1 : 1;
}

ONE(mq_open_2, __mq_open_2(queue_name(), O_RDWR))

/* ---- Terminals ---- */

ONE(posix_openpt, posix_openpt(O_RDWR | O_NOCTTY))
ONE(getpt, getpt())
TWO(openpty, openpty(&fds[0], &fds[1], NULL, NULL, NULL))

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

ONE(socket, socket(AF_INET, SOCK_STREAM, 0))
TWO(socketpair, socketpair(AF_UNIX, SOCK_STREAM, 0, fds))
ONE(accept, (close(connected()), accept(listener, NULL, NULL)))
ONE(accept4, (close(connected()), accept4(listener, NULL, NULL, SOCK_CLOEXEC)))
ONE(syscall_socket, syscall(SYS_socket, AF_INET, SOCK_DGRAM, 0))
ONE(syscall_accept, (close(connected()), syscall(SYS_accept4, listener, 0, 0, 0)))
TWO(syscall_socketpair, syscall(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, fds))

/* Sends two descriptors through a pair of sockets, ready to be received. */
struct message {
    int pair[2];
    char byte;
    struct iovec part;
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(2 * sizeof(int))];
    } control;
    struct mmsghdr header;
};

static void message_send(struct message *message)
{
    int sent[2] = {STDIN_FILENO, STDIN_FILENO};
    struct msghdr *header = &message->header.msg_hdr;
    *message = (struct message){.byte = 'x'};
    message->part = (struct iovec){&message->byte, 1};
    *header = (struct msghdr){.msg_iov = &message->part,
                              .msg_iovlen = 1,
                              .msg_control = &message->control,
                              .msg_controllen = sizeof(message->control)};
    struct cmsghdr *head = CMSG_FIRSTHDR(header);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(sizeof(sent));
    memcpy(CMSG_DATA(head), sent, sizeof(sent));
    if (socketpair(AF_UNIX, SOCK_DGRAM, 0, message->pair) != 0 ||
        sendmsg(message->pair[0], header, 0) != 1) {
        perror("sendmsg");
        exit(1);
    }
    memset(&message->control, 0, sizeof(message->control));
}

static int message_read(struct message *message, int fds[2], long got)
{
    const struct cmsghdr *head = CMSG_FIRSTHDR(&message->header.msg_hdr);
    close(message->pair[0]);
    close(message->pair[1]);
    if (got != 1 || head == NULL) {
        return -1;
    }
    memcpy(fds, CMSG_DATA(head), 2 * sizeof(int));
    return 2;
}

#define RECEIVED(name, expression)                                                     \
    __attribute__((noinline)) static int way_##name(int fds[2], struct handle *handle) \
    {                                                                                  \
        struct message message;                                                        \
        (void)handle;                                                                  \
        message_send(&message);                                                        \
        long got = (expression);                                                       \
        return message_read(&message, fds, got);                                       \
    }

RECEIVED(recvmsg, recvmsg(message.pair[1], &message.header.msg_hdr, 0))
RECEIVED(recvmmsg, recvmmsg(message.pair[1], &message.header, 1, 0, NULL))
RECEIVED(syscall_recvmsg,
         syscall(SYS_recvmsg, message.pair[1], &message.header.msg_hdr, 0))

/* ---- What has no name ---- */

TWO(pipe, pipe(fds))
TWO(pipe2, pipe2(fds, O_CLOEXEC))
TWO(syscall_pipe2, syscall(SYS_pipe2, fds, 0))
ONE(epoll_create, epoll_create(1))
ONE(epoll_create1, epoll_create1(EPOLL_CLOEXEC))
ONE(syscall_epoll_create1, syscall(SYS_epoll_create1, 0))
ONE(eventfd, eventfd(0, 0))
ONE(syscall_eventfd2, syscall(SYS_eventfd2, 0, 0))
ONE(timerfd_create, timerfd_create(CLOCK_MONOTONIC, 0))
ONE(syscall_timerfd_create, syscall(SYS_timerfd_create, CLOCK_MONOTONIC, 0))
ONE(signalfd, signalfd(-1, no_signals(), 0))
ONE(syscall_signalfd4, syscall(SYS_signalfd4, -1, no_signals(), 8, 0))
ONE(inotify_init, inotify_init())
ONE(inotify_init1, inotify_init1(IN_CLOEXEC))
ONE(syscall_inotify_init1, syscall(SYS_inotify_init1, 0))
ONE(fanotify_init, fanotify_init(FAN_CLASS_NOTIF, O_RDONLY))
ONE(memfd_create, memfd_create("paper", 0))
ONE(syscall_memfd_create, syscall(SYS_memfd_create, "paper", 0))
ONE(syscall_memfd_secret, syscall(SYS_memfd_secret, 0))
ONE(pidfd_open, pidfd_open(getpid(), 0))
ONE(syscall_pidfd_open, syscall(SYS_pidfd_open, getpid(), 0))
ONE(syscall_userfaultfd, syscall(SYS_userfaultfd, 0))
ONE(fsopen, fsopen("tmpfs", 0))
ONE(syscall_fsopen, syscall(SYS_fsopen, "tmpfs", 0))
ONE(open_tree, open_tree(AT_FDCWD, "/tmp", 0))
ONE(fspick, fspick(AT_FDCWD, "/", 0))

__attribute__((noinline)) static int way_pidfd_getfd(int fds[2], struct handle *handle)
{
    (void)handle;
    int process = pidfd_open(getpid(), 0);
    fds[0] = pidfd_getfd(process, STDIN_FILENO, 0);
    int error = errno;
    close(process);
    errno = error;
    return fds[0] < 0 ? -1 : 1;
}

__attribute__((noinline)) static int way_syscall_io_uring_setup(int fds[2],
                                                                struct handle *handle)
{
    struct io_uring_params parameters = {0};
    (void)handle;
    fds[0] = (int)syscall(SYS_io_uring_setup, 1, &parameters);
    return fds[0] < 0 ? -1 : 1;
}

__attribute__((noinline)) static int way_syscall_perf_event_open(int fds[2],
                                                                 struct handle *handle)
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

#define WAY(name, kind)                                                                \
    {                                                                                  \
        "way_" #name, kind, way_##name, {-1, -1}, 0,                                   \
        {                                                                              \
            0                                                                          \
        }                                                                              \
    }

static struct way ways[] = {
    WAY(open, "file"),
    WAY(open_made, "file"),
    WAY(open64, "file"),
    WAY(openat, "file"),
    WAY(openat64, "file"),
    WAY(open_2, "file"),
    WAY(open64_2, "file"),
    WAY(openat_2, "file"),
    WAY(openat64_2, "file"),
    WAY(creat, "device"),
    WAY(creat64, "device"),
    WAY(open_path, "directory"),
    WAY(open_unnamed, "file"),
    WAY(mkstemp, "file"),
    WAY(mkstemp64, "file"),
    WAY(mkostemp, "file"),
    WAY(mkostemp64, "file"),
    WAY(mkstemps, "file"),
    WAY(mkstemps64, "file"),
    WAY(mkostemps, "file"),
    WAY(mkostemps64, "file"),
    WAY(shm_open, "file"),
    WAY(syscall_openat, "file"),
    WAY(fcntl_dupfd, "pipe"),
    WAY(fcntl64_dupfd, "pipe"),
    WAY(dup, "pipe"),
    WAY(dup2, "pipe"),
    WAY(dup3, "pipe"),
    WAY(syscall_dup, "pipe"),
    WAY(syscall_dup3, "pipe"),
    WAY(syscall_fcntl, "pipe"),
    WAY(open_by_handle_at, "directory"),
    WAY(fopen, "file"),
    WAY(fopen64, "file"),
    WAY(freopen, "file"),
    WAY(freopen64, "file"),
    WAY(tmpfile, "file"),
    WAY(tmpfile64, "file"),
    WAY(popen, "pipe"),
    WAY(setmntent, "file"),
    WAY(opendir, "directory"),
    WAY(mq_open, "message queue"),
    WAY(mq_open_2, "message queue"),
    WAY(posix_openpt, "device"),
    WAY(getpt, "device"),
    WAY(openpty, "device"),
    WAY(socket, "socket"),
    WAY(socketpair, "socket"),
    WAY(accept, "socket"),
    WAY(accept4, "socket"),
    WAY(syscall_socket, "socket"),
    WAY(syscall_accept, "socket"),
    WAY(syscall_socketpair, "socket"),
    WAY(recvmsg, "pipe"),
    WAY(recvmmsg, "pipe"),
    WAY(syscall_recvmsg, "pipe"),
    WAY(pipe, "pipe"),
    WAY(pipe2, "pipe"),
    WAY(syscall_pipe2, "pipe"),
    WAY(epoll_create, "epoll"),
    WAY(epoll_create1, "epoll"),
    WAY(syscall_epoll_create1, "epoll"),
    WAY(eventfd, "eventfd"),
    WAY(syscall_eventfd2, "eventfd"),
    WAY(timerfd_create, "timerfd"),
    WAY(syscall_timerfd_create, "timerfd"),
    WAY(signalfd, "signalfd"),
    WAY(syscall_signalfd4, "signalfd"),
    WAY(inotify_init, "inotify"),
    WAY(inotify_init1, "inotify"),
    WAY(syscall_inotify_init1, "inotify"),
    WAY(fanotify_init, "fanotify"),
    WAY(memfd_create, "memfd"),
    WAY(syscall_memfd_create, "memfd"),
    WAY(syscall_memfd_secret, "memfd"),
    WAY(pidfd_open, "pidfd"),
    WAY(syscall_pidfd_open, "pidfd"),
    WAY(pidfd_getfd, "pipe"),
    WAY(syscall_userfaultfd, "userfaultfd"),
    WAY(fsopen, "fscontext"),
    WAY(syscall_fsopen, "fscontext"),
    WAY(fspick, "fscontext"),
    WAY(open_tree, "directory"),
    WAY(syscall_io_uring_setup, "io_uring"),
    WAY(syscall_perf_event_open, "perf_event"),
};

#define WAYS (sizeof(ways) / sizeof(ways[0]))

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
    for (size_t i = 0; i < WAYS; i++) {
        ways[i].count = ways[i].open(ways[i].fds, &ways[i].handle);
        tell(&ways[i]);
    }
    mq_unlink(queue_name());
    shm_unlink(queue_name());
    puts("ready");
    fflush(stdout);
    wait_for_line();
    for (size_t i = 0; i < WAYS; i++) {
        way_close(&ways[i], closers[i % 3]);
    }
    puts("closed");
    fflush(stdout);
    wait_for_line();
    return 0;
}
