/* Child processes: every way to start one, and to wait for one. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "storm.h"

enum { GOOD = 5 };

static char *const true_command[] = {"sh", "-c", "exit 5", NULL};
static char *const sleep_command[] = {"sleep", "1000", NULL};
extern char **environ;

/* What a child does to its own descriptors is not done to its parent's. */
static void descriptors_shuffle(struct storm *storm)
{
    int fd = open("/dev/null", O_RDWR);
    if (fd < 0 || dup2(fd, storm->first) != storm->first || close(fd) != 0 ||
        close_range(3, ~0U, 0) != 0) {
        _exit(1);
    }
}

MAKER child_fork(struct storm *storm, struct child_slot *slot)
{
    slot->pid = fork();
    if (slot->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        descriptors_shuffle(storm);
        for (;;) {
            pause();
        }
    }
}

MAKER child_ended(struct storm *storm, struct child_slot *slot)
{
    slot->pid = fork();
    if (slot->pid == 0) {
        descriptors_shuffle(storm);
        free(malloc(1000));
        _exit(GOOD);
    }
}

/* The child of _Fork may do little. */
MAKER child_bare_fork(struct storm *storm, struct child_slot *slot)
{
    (void)storm;
    slot->pid = _Fork();
    if (slot->pid == 0) {
        _exit(GOOD);
    }
}

/* Its child has the parent's memory, and descriptors of its own. */
MAKER child_vfork(struct storm *storm, struct child_slot *slot)
{
    slot->pid = vfork();
    if (slot->pid == 0) {
        descriptors_shuffle(storm);
        execve("/bin/sh", true_command, environ);
        _exit(1);
    }
}

MAKER child_spawn(struct storm *storm, struct child_slot *slot)
{
    (void)storm;
    MUST(posix_spawn(&slot->pid, "/bin/sleep", NULL, NULL, sleep_command, environ) ==
         0);
}

MAKER child_spawnp(struct storm *storm, struct child_slot *slot)
{
    (void)storm;
    MUST(posix_spawnp(&slot->pid, "sh", NULL, NULL, true_command, environ) == 0);
}

static const struct maker {
    enum way way;
    void (*make)(struct storm *storm, struct child_slot *slot);
    bool stays;
} makers[] = {
    {children_child_fork, child_fork, true},
    {children_child_ended, child_ended, false},
    {children_child_bare_fork, child_bare_fork, false},
    {children_child_vfork, child_vfork, false},
    {children_child_spawn, child_spawn, true},
    {children_child_spawnp, child_spawnp, false},
};

/* The second value counts those that have ended: after child_settle. */
static void child_make(struct storm *storm, struct child_slot *slot)
{
    const struct maker *maker =
        &makers[choose(storm, sizeof(makers) / sizeof(makers[0]))];
    maker->make(storm, slot);
    MUST(slot->pid > 0);
    slot->way = maker->way;
    slot->stays = maker->stays;
    alive_add(slot->way, 1, slot->stays ? 0 : 1);
}

/* It ended as it should; it may be another one than was waited for. */
static void child_take(struct storm *storm, pid_t pid, int status)
{
    for (int i = 0; i < CHILDREN; i++) {
        struct child_slot *slot = &storm->children[i];
        if (slot->way != NOTHING && slot->pid == pid) {
            MUST(slot->stays ? WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL
                             : WIFEXITED(status) && WEXITSTATUS(status) == GOOD);
            alive_add(slot->way, -1, slot->stays ? 0 : -1);
            slot->way = NOTHING;
            return;
        }
    }
    MUST(!"a child of this thread");
}

static void child_wait(struct storm *storm, pid_t pid)
{
    int status = 0;
    siginfo_t info;
    switch (choose(storm, 4)) {
    case 0:
        MUST(waitid(P_PID, (id_t)pid, &info, WEXITED) == 0 && info.si_pid == pid);
        status = info.si_code == CLD_EXITED ? info.si_status << 8 : info.si_status;
        break;
    case 1:
        MUST(wait4(pid, &status, 0, NULL) == pid);
        break;
    case 2:
        if (storm->popens == 0) {
            pid = waitpid(-1, &status, __WNOTHREAD); /* any one of this thread */
            break;
        }
        /* fall through */
    default:
        MUST(waitpid(pid, &status, 0) == pid);
    }
    child_take(storm, pid, status);
}

static void child_end(struct storm *storm, struct child_slot *slot)
{
    pid_t pid = slot->pid;
    if (slot->stays) {
        MUST(kill(pid, SIGKILL) == 0);
    }
    while (slot->way != NOTHING && slot->pid == pid) {
        child_wait(storm, pid);
    }
}

void child_step(struct storm *storm)
{
    struct child_slot *slot = SLOT_OF(storm, children, CHILDREN);
    if (slot->way == NOTHING) {
        child_make(storm, slot);
    } else {
        child_end(storm, slot);
    }
    int status;
    MUST(waitpid(getpid(), &status, WNOHANG) == -1 && errno == ECHILD);
}

void child_settle(struct storm *storm)
{
    for (int i = 0; i < CHILDREN; i++) {
        const struct child_slot *slot = &storm->children[i];
        siginfo_t info;
        if (slot->way != NOTHING && !slot->stays) {
            MUST(waitid(P_PID, (id_t)slot->pid, &info, WEXITED | WNOWAIT) == 0);
        }
    }
}

void child_drain(struct storm *storm)
{
    for (int i = 0; i < CHILDREN; i++) {
        if (storm->children[i].way != NOTHING) {
            child_end(storm, &storm->children[i]);
        }
    }
}
