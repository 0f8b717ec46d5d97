/* Descriptors: what is open, and the ways to close it. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "storm.h"

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
    const struct fd_maker *maker = &fd_makers[choose(storm, fd_maker_count)];
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
