/* Every way to open a descriptor. */
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <unistd.h>

#include "storm.h"

/* What open is with _FORTIFY_SOURCE, if its flags are no constant. */
int __open_2(const char *path, int flags);

MAKER fd_open(struct storm *storm, struct fd_slot *one)
{
    errno = UNKEPT;
    one->fd = open(storm->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    MUST(errno == UNKEPT);
}

MAKER fd_open64(struct storm *storm, struct fd_slot *one)
{
    one->fd = open64(storm->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
}

MAKER fd_openat(struct storm *storm, struct fd_slot *one)
{
    one->fd = openat(AT_FDCWD, storm->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
}

MAKER fd_checked_open(struct storm *storm, struct fd_slot *one)
{
    (void)storm;
    one->fd = __open_2("/dev/zero", O_RDONLY | O_CLOEXEC);
}

MAKER fd_creat(struct storm *storm, struct fd_slot *one)
{
    one->fd = creat(storm->path, 0600);
}

MAKER fd_fopen(struct storm *storm, struct fd_slot *one)
{
    one->stream = fopen(storm->path, "we");
}

MAKER fd_fopen64(struct storm *storm, struct fd_slot *one)
{
    (void)storm;
    one->stream = fopen64("/dev/zero", "re");
}

MAKER fd_freopen(struct storm *storm, struct fd_slot *one)
{
    FILE *stream = fopen(storm->path, "we");
    MUST(stream != NULL);
    one->stream = freopen("/dev/zero", "re", stream);
}

MAKER fd_tmpfile(struct storm *storm, struct fd_slot *one)
{
    (void)storm;
    one->stream = tmpfile();
}

MAKER fd_mkstemp(struct storm *storm, struct fd_slot *one)
{
    char name[] = "/tmp/storm-XXXXXX";
    (void)storm;
    one->fd = mkstemp(name);
    MUST(unlink(name) == 0);
}

MAKER fd_mkostemp(struct storm *storm, struct fd_slot *one)
{
    char name[] = "/tmp/storm-XXXXXX";
    (void)storm;
    one->fd = mkostemp(name, O_CLOEXEC);
    MUST(unlink(name) == 0);
}

MAKER fd_opendir(struct storm *storm, struct fd_slot *one)
{
    (void)storm;
    one->directory = opendir("/proc/self");
}

/* Its child, too, is there until it is closed. */
MAKER fd_popen(struct storm *storm, struct fd_slot *one)
{
    one->stream = popen("exit 3", "re");
    storm->popens++;
    alive_add(children_fd_popen, 1, 1);
}

MAKER fd_dup(struct storm *storm, struct fd_slot *one)
{
    errno = UNKEPT;
    one->fd = dup(storm->source);
    MUST(errno == UNKEPT);
}

MAKER fd_fcntl(struct storm *storm, struct fd_slot *one)
{
    one->fd = fcntl(storm->source, F_DUPFD_CLOEXEC, 3);
}

MAKER fd_socket(struct storm *storm, struct fd_slot *one)
{
    (void)storm;
    errno = UNKEPT;
    one->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    MUST(errno == UNKEPT);
}

MAKER fd_socketpair(struct storm *storm, struct fd_slot *one)
{
    int made[2];
    (void)storm;
    MUST(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, made) == 0);
    one[0].fd = made[0];
    one[1].fd = made[1];
}

/* A socket that is connected to the thread's listener. */
static int connected(struct storm *storm, int fd)
{
    struct sockaddr_un address;
    socklen_t length = sizeof(address);
    MUST(getsockname(storm->listener, (struct sockaddr *)&address, &length) == 0);
    MUST(connect(fd, (struct sockaddr *)&address, length) == 0);
    return fd;
}

MAKER fd_accept(struct storm *storm, struct fd_slot *one)
{
    one[0].fd = connected(storm, socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    one[1].fd = accept(storm->listener, NULL, NULL);
}

MAKER fd_accept4(struct storm *storm, struct fd_slot *one)
{
    one[0].fd = connected(storm, socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    one[1].fd = accept4(storm->listener, NULL, NULL, SOCK_CLOEXEC);
}

/* A message of one byte with room for one descriptor. */
struct packet {
    struct msghdr head;
    struct iovec part;
    char byte;
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control;
};

static struct msghdr *packet_set(struct packet *packet)
{
    *packet = (struct packet){.byte = 'x'};
    packet->part = (struct iovec){&packet->byte, 1};
    packet->head = (struct msghdr){.msg_iov = &packet->part,
                                   .msg_iovlen = 1,
                                   .msg_control = packet->control.bytes,
                                   .msg_controllen = sizeof(packet->control.bytes)};
    return &packet->head;
}

MAKER fd_recvmsg(struct storm *storm, struct fd_slot *one)
{
    struct packet packet;
    struct msghdr *head = packet_set(&packet);
    struct cmsghdr *control = CMSG_FIRSTHDR(head);
    *control = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(int)),
                                .cmsg_level = SOL_SOCKET,
                                .cmsg_type = SCM_RIGHTS};
    memcpy(CMSG_DATA(control), &storm->source, sizeof(int));
    MUST(sendmsg(storm->ends[0], head, 0) == 1);
    head = packet_set(&packet);
    MUST(recvmsg(storm->ends[1], head, MSG_CMSG_CLOEXEC) == 1);
    control = CMSG_FIRSTHDR(head);
    MUST(control != NULL && control->cmsg_type == SCM_RIGHTS);
    memcpy(&one->fd, CMSG_DATA(control), sizeof(int));
}

MAKER fd_pipe(struct storm *storm, struct fd_slot *one)
{
    int made[2];
    (void)storm;
    MUST(pipe(made) == 0);
    one[0].fd = made[0];
    one[1].fd = made[1];
}

MAKER fd_pipe2(struct storm *storm, struct fd_slot *one)
{
    int made[2];
    (void)storm;
    MUST(pipe2(made, O_CLOEXEC) == 0);
    one[0].fd = made[0];
    one[1].fd = made[1];
}

MAKER fd_eventfd(struct storm *storm, struct fd_slot *one)
{
    (void)storm;
    one->fd = eventfd(0, EFD_CLOEXEC);
}

MAKER fd_epoll(struct storm *storm, struct fd_slot *one)
{
    one->fd = storm->steps % 2 == 0 ? epoll_create(1) : epoll_create1(EPOLL_CLOEXEC);
}

MAKER fd_timerfd(struct storm *storm, struct fd_slot *one)
{
    (void)storm;
    one->fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
}

MAKER fd_signalfd(struct storm *storm, struct fd_slot *one)
{
    sigset_t none;
    (void)storm;
    sigemptyset(&none);
    one->fd = signalfd(-1, &none, SFD_CLOEXEC);
    MUST(signalfd(one->fd, &none, 0) == one->fd); /* changes it, and makes none */
}

MAKER fd_inotify(struct storm *storm, struct fd_slot *one)
{
    one->fd = storm->steps % 2 == 0 ? inotify_init() : inotify_init1(IN_CLOEXEC);
}

MAKER fd_memfd(struct storm *storm, struct fd_slot *one)
{
    (void)storm;
    one->fd = memfd_create("storm", MFD_CLOEXEC);
}

MAKER fd_pidfd(struct storm *storm, struct fd_slot *one)
{
    (void)storm;
    one->fd = pidfd_open(getpid(), 0);
}

MAKER fd_terminal(struct storm *storm, struct fd_slot *one)
{
    (void)storm;
    one->fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
}

MAKER fd_shm_open(struct storm *storm, struct fd_slot *one)
{
    char name[64];
    snprintf(name, sizeof(name), "/storm-%d-%u", (int)getpid(), storm->number);
    one->fd = shm_open(name, O_RDWR | O_CREAT, 0600);
    MUST(shm_unlink(name) == 0);
}

MAKER fd_mq_open(struct storm *storm, struct fd_slot *one)
{
    char name[64];
    struct mq_attr small = {.mq_maxmsg = 1, .mq_msgsize = 8};
    snprintf(name, sizeof(name), "/storm-%d-%u", (int)getpid(), storm->number);
    one->fd = mq_open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600, &small);
    MUST(one->fd < 0 || mq_unlink(name) == 0);
}

const struct fd_maker fd_makers[] = {
    {fds_fd_open, fd_open, 1},
    {fds_fd_open64, fd_open64, 1},
    {fds_fd_openat, fd_openat, 1},
    {fds_fd_checked_open, fd_checked_open, 1},
    {fds_fd_creat, fd_creat, 1},
    {fds_fd_fopen, fd_fopen, 1},
    {fds_fd_fopen64, fd_fopen64, 1},
    {fds_fd_freopen, fd_freopen, 1},
    {fds_fd_tmpfile, fd_tmpfile, 1},
    {fds_fd_mkstemp, fd_mkstemp, 1},
    {fds_fd_mkostemp, fd_mkostemp, 1},
    {fds_fd_opendir, fd_opendir, 1},
    {fds_fd_popen, fd_popen, 1},
    {fds_fd_dup, fd_dup, 1},
    {fds_fd_fcntl, fd_fcntl, 1},
    {fds_fd_socket, fd_socket, 1},
    {fds_fd_socketpair, fd_socketpair, 2},
    {fds_fd_accept, fd_accept, 2},
    {fds_fd_accept4, fd_accept4, 2},
    {fds_fd_recvmsg, fd_recvmsg, 1},
    {fds_fd_pipe, fd_pipe, 2},
    {fds_fd_pipe2, fd_pipe2, 2},
    {fds_fd_eventfd, fd_eventfd, 1},
    {fds_fd_epoll, fd_epoll, 1},
    {fds_fd_timerfd, fd_timerfd, 1},
    {fds_fd_signalfd, fd_signalfd, 1},
    {fds_fd_inotify, fd_inotify, 1},
    {fds_fd_memfd, fd_memfd, 1},
    {fds_fd_pidfd, fd_pidfd, 1},
    {fds_fd_terminal, fd_terminal, 1},
    {fds_fd_shm_open, fd_shm_open, 1},
    {fds_fd_mq_open, fd_mq_open, 1},
};

const unsigned fd_maker_count = sizeof(fd_makers) / sizeof(fd_makers[0]);
