/* Descriptors: every way to open one, and most ways to close one. */
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

#define UNKEPT 4711 /* errno before a call that succeeds, and after it */

/* Each maker fills one slot, or two: `one` and `one[1]` if it is in the table below
 * with 2. A descriptor of -1 says that the machine has no more of these. */

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

static const struct maker {
    enum way way;
    void (*make)(struct storm *storm, struct fd_slot *one);
    int slots;
} makers[] = {
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

/* Notes what a slot has now, and remembers which file that is. */
static void slot_fill(struct fd_slot *slot, enum way way)
{
    struct stat status;
    if (slot->stream != NULL || slot->directory != NULL) {
        slot->fd = slot->stream != NULL ? fileno(slot->stream) : dirfd(slot->directory);
    }
    MUST(slot->fd > STDERR_FILENO && fstat(slot->fd, &status) == 0);
    slot->way = way;
    slot->device = status.st_dev;
    slot->inode = status.st_ino;
    alive_add(way, 1, 0);
}

/* It is still open on the same file. Then nothing is there any more, to be told. */
static void slot_clear(struct fd_slot *slot)
{
    struct stat status;
    MUST(fstat(slot->fd, &status) == 0);
    MUST(status.st_dev == slot->device && status.st_ino == slot->inode);
    alive_add(slot->way, -1, 0);
    slot->way = NOTHING;
}

static void slot_close(struct storm *storm, struct fd_slot *slot)
{
    bool by_popen = slot->way == fds_fd_popen;
    slot_clear(slot);
    if (by_popen) {
        alive_add(children_fd_popen, -1, -1);
        MUST(pclose(slot->stream) == 3 << 8);
        storm->popens--;
    } else if (slot->stream != NULL) {
        MUST(fclose(slot->stream) == 0);
    } else if (slot->directory != NULL) {
        MUST(closedir(slot->directory) == 0);
    } else {
        errno = UNKEPT;
        MUST(close(slot->fd) == 0 && errno == UNKEPT);
    }
}

static void slots_make(struct storm *storm, struct fd_slot *slots)
{
    const struct maker *maker =
        &makers[choose(storm, sizeof(makers) / sizeof(makers[0]))];
    if (maker->slots == 2 && slots[1].way != NOTHING) {
        slot_close(storm, &slots[1]);
    }
    for (int i = 0; i < maker->slots; i++) {
        slots[i] = (struct fd_slot){.way = NOTHING, .fd = -1};
    }
    maker->make(storm, slots);
    bool scarce = maker->way == fds_fd_inotify || maker->way == fds_fd_mq_open;
    if (scarce && slots[0].fd < 0) {
        MUST(errno == EMFILE);
        return;
    }
    for (int i = 0; i < maker->slots; i++) {
        slot_fill(&slots[i], maker->way);
    }
}

/* Another file at the same number; the first one is closed by that. */
MAKER fd_dup2_over(struct storm *storm, struct fd_slot *slot)
{
    int fd = slot->fd;
    slot_clear(slot);
    errno = UNKEPT;
    MUST(dup2(storm->source, fd) == fd && errno == UNKEPT);
    slot_fill(slot, fds_fd_dup2_over);
}

/* -- numbers of the thread's own: closed all at once, too ------------------------- */

MAKER fd_dup2(struct storm *storm, int number)
{
    MUST(dup2(storm->source, number) == number);
}

MAKER fd_dup3(struct storm *storm, int number)
{
    MUST(dup3(storm->source, number, O_CLOEXEC) == number);
}

MAKER fd_fcntl_from(struct storm *storm, int number)
{
    MUST(fcntl(storm->source, F_DUPFD, number) == number);
}

/* What was at the number is closed by dup2 and dup3. */
static void private_make(struct storm *storm, struct fd_slot *slot)
{
    int number = storm->first + (int)(slot - storm->private);
    unsigned way = choose(storm, 3);
    if (slot->way != NOTHING) {
        slot_clear(slot);
        way %= 2;
    }
    *slot = (struct fd_slot){.fd = number};
    if (way == 0) {
        fd_dup2(storm, number);
        slot_fill(slot, fds_fd_dup2);
    } else if (way == 1) {
        fd_dup3(storm, number);
        slot_fill(slot, fds_fd_dup3);
    } else {
        fd_fcntl_from(storm, number);
        slot_fill(slot, fds_fd_fcntl_from);
    }
}

static void private_close_all(struct storm *storm)
{
    for (int i = 0; i < PRIVATE; i++) {
        if (storm->private[i].way != NOTHING) {
            slot_clear(&storm->private[i]);
        }
    }
    unsigned first = (unsigned)storm->first;
    MUST(close_range(first, first + PRIVATE - 1, 0) == 0);
}

static void private_step(struct storm *storm)
{
    struct fd_slot *slot = SLOT_OF(storm, private, PRIVATE);
    unsigned what = choose(storm, 8);
    if (what == 0) {
        private_close_all(storm);
    } else if (slot->way == NOTHING || what < 5) {
        private_make(storm, slot);
    } else {
        slot_close(storm, slot);
    }
}

void fd_step(struct storm *storm)
{
    if (choose(storm, 5) == 0) {
        private_step(storm);
        return;
    }
    struct fd_slot *slot = SLOT_OF(storm, ordinary, ORDINARY - 1);
    if (slot->way == NOTHING) {
        slots_make(storm, slot);
    } else if (slot->stream == NULL && slot->directory == NULL &&
               choose(storm, 4) == 0) {
        fd_dup2_over(storm, slot);
    } else {
        slot_close(storm, slot);
    }
}

void fd_fail(struct storm *storm)
{
    const struct fd_slot *slot = SLOT_OF(storm, private, PRIVATE);
    int used = slot->way == NOTHING ? storm->source : slot->fd;
    MUST(open("/nothing/there", O_RDONLY) == -1 && errno == ENOENT);
    MUST(fopen("/nothing/there", "r") == NULL && errno == ENOENT);
    MUST(opendir("/nothing/there") == NULL && errno == ENOENT);
    MUST(close(-1) == -1 && errno == EBADF);
    MUST(dup(-1) == -1 && errno == EBADF);
    MUST(dup2(-1, used) == -1 && errno == EBADF);
    MUST(dup2(used, used) == used);
    MUST(dup3(used, used, 0) == -1 && errno == EINVAL);
    MUST(close_range((unsigned)used, (unsigned)used, ~0U) == -1 && errno == EINVAL);
    MUST(fcntl(used, F_DUPFD, -1) == -1 && errno == EINVAL);
    MUST(socket(-1, SOCK_STREAM, 0) == -1 && errno == EAFNOSUPPORT);
    MUST(popen("true", "x") == NULL && errno == EINVAL);
}

void fd_drain(struct storm *storm)
{
    for (int i = 0; i < ORDINARY; i++) {
        if (storm->ordinary[i].way != NOTHING) {
            slot_close(storm, &storm->ordinary[i]);
        }
    }
    private_close_all(storm);
}
