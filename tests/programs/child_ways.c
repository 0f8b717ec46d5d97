/*
 * Makes children in every way, and waits for them in every way, each in a function of
 * its own; prints for each how many it has left, living and ended: "by_fork 2 0". Then
 * it says "ready PID", and waits for the end of its input.
 *
 *   usage: child_ways            makes children
 *          child_ways ignored    ignores SIGCHLD: many end, and nobody waits for them
 */
#include <errno.h>
#include <pthread.h>
#include <pty.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define WAY static __attribute__((noipa)) void
#define MAKER static __attribute__((noipa)) pid_t
#define MUST(condition) must(condition, #condition, __LINE__)

enum { KEPT = 64, IGNORED = 700, STATUS = 3 };

extern char **environ;
static char *const sleeps[] = {"sleep", "300", NULL};
static pid_t kept[KEPT];
static int count;

static void must(bool condition, const char *text, int line)
{
    if (!condition) {
        fprintf(stderr, "child_ways: line %d: %s: %s\n", line, text, strerror(errno));
        exit(1);
    }
}

/* To be killed at the end. */
static pid_t keep(pid_t child)
{
    MUST(child > 0 && count < KEPT);
    kept[count++] = child;
    return child;
}

static void says(const char *function, int living, int ended)
{
    printf("%s %d %d\n", function, living, ended);
}

/* Waits until the child has ended; it stays to be waited for. */
static void ends(pid_t child)
{
    siginfo_t info;
    while (waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT) != 0) {
        MUST(errno == EINTR);
    }
}

static void stay(void)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (;;) {
        pause();
    }
}

static int stay_cloned(void *unused)
{
    (void)unused;
    stay();
    return 0;
}

/* ---- Made ---- */

MAKER by_fork(void)
{
    pid_t child = fork();
    if (child == 0) {
        stay();
    }
    return child;
}

MAKER by_bare_fork(void)
{
    pid_t child = _Fork();
    if (child == 0) {
        stay();
    }
    return child;
}

MAKER by_vfork(void)
{
    pid_t child = vfork(); /* NOLINT */
    if (child == 0) {
        execv("/bin/sleep", sleeps);
        _exit(1);
    }
    return child;
}

MAKER by_spawn(void)
{
    pid_t child = 0;
    MUST(posix_spawn(&child, "/bin/sleep", NULL, NULL, sleeps, environ) == 0);
    return child;
}

MAKER by_spawnp(void)
{
    pid_t child = 0;
    MUST(posix_spawnp(&child, "sleep", NULL, NULL, sleeps, environ) == 0);
    return child;
}

MAKER by_forkpty(void)
{
    int fd = -1;
    pid_t child = forkpty(&fd, NULL, NULL, NULL);
    if (child == 0) {
        stay();
    }
    MUST(fd >= 0);
    return child;
}

static char stack[64 * 1024] __attribute__((aligned(16)));

MAKER by_clone(void)
{
    return clone(stay_cloned, stack + sizeof(stack), SIGCHLD, NULL);
}

/* No signal tells of its end, as with the probe's own. */
MAKER by_silent_clone(void)
{
    return clone(stay_cloned, stack + sizeof(stack), 0, NULL);
}

static FILE *cat;

/* It ends when the pipe is closed. */
WAY by_popen(void)
{
    cat = popen("cat", "w");
    FILE *other = popen("exit 3", "r");
    MUST(cat != NULL && other != NULL && WEXITSTATUS(pclose(other)) == 3);
    says(__func__, 1, 0);
}

/* ---- Ended, and not waited for ---- */

MAKER exits(void)
{
    pid_t child = fork();
    if (child == 0) {
        _exit(STATUS);
    }
    ends(child);
    return child;
}

WAY killed(void)
{
    pid_t child = by_vfork();
    kill(child, SIGTERM);
    ends(child);
}

/* Its program is not there. */
WAY vfork_exits(void)
{
    pid_t child = vfork(); /* NOLINT */
    if (child == 0) {
        execl("/nonexistent/program", "program", NULL);
        _exit(STATUS);
    }
    ends(child);
    says(__func__, 0, 1);
}

/* posix_spawn fails, and has waited for its child itself. */
WAY spawn_fails(void)
{
    pid_t child = 4711;
    MUST(posix_spawn(&child, "/nonexistent/program", NULL, NULL, sleeps, environ) ==
         ENOENT);
    MUST(posix_spawn(NULL, "/bin/true", NULL, NULL, sleeps, environ) == 0);
    siginfo_t info;
    MUST(waitid(P_ALL, 0, &info, WEXITED | WNOWAIT) == 0);
    says(__func__, 0, 1);
}

/* The child of a child is nobody's here. */
WAY forks_twice(void)
{
    int pipes[2];
    pid_t grandchild = 0;
    MUST(pipe(pipes) == 0);
    pid_t child = fork();
    if (child == 0) {
        grandchild = by_vfork();
        MUST(write(pipes[1], &grandchild, sizeof(grandchild)) > 0);
        _exit(0);
    }
    MUST(read(pipes[0], &grandchild, sizeof(grandchild)) == sizeof(grandchild));
    MUST(waitpid(child, NULL, 0) == child);
    keep(grandchild);
    says(__func__, 0, 0);
}

/* The kernel gives the child to another thread when this one ends. */
static void *vfork_and_end(void *unused)
{
    (void)unused;
    keep(by_vfork());
    return NULL;
}

WAY from_a_thread(void)
{
    pthread_t thread;
    MUST(pthread_create(&thread, NULL, vfork_and_end, NULL) == 0 &&
         pthread_join(thread, NULL) == 0);
}

/* ---- Waited for ---- */

WAY waited(void)
{
    int status = 0;
    siginfo_t info;
    pid_t child = exits();
    MUST(waitpid(child, NULL, 0) == child);
    child = exits();
    MUST(waitpid(child, &status, WNOHANG) == child && WEXITSTATUS(status) == STATUS);
    child = exits();
    MUST(wait4(child, &status, 0, NULL) == child);
    child = exits();
    MUST(waitid(P_PID, (id_t)child, &info, WEXITED) == 0 && info.si_pid == child);
    child = exits();
    int fd = (int)syscall(SYS_pidfd_open, child, 0);
    MUST(fd >= 0 && waitid((idtype_t)P_PIDFD, (id_t)fd, &info, WEXITED) == 0);
    close(fd);
    child = exits();
    MUST(waitid(P_PID, (id_t)child, NULL, WEXITED) == 0);
    child = exits();
    MUST(syscall(SYS_wait4, child, NULL, 0, NULL) == child);
    says(__func__, 0, 0);
}

/* A child that stops, or goes on, has not ended. */
WAY stops(void)
{
    int status = 0;
    pid_t child = keep(by_fork());
    MUST(kill(child, SIGSTOP) == 0 && waitpid(child, &status, WUNTRACED) == child &&
         WIFSTOPPED(status));
    MUST(kill(child, SIGCONT) == 0 && waitpid(child, NULL, WCONTINUED) == child);
    MUST(waitpid(child, &status, WNOHANG) == 0);
}

/* By wait, which takes any: there is no other that has ended yet. */
WAY waited_for_any(void)
{
    int status = 0;
    exits();
    MUST(wait(&status) > 0 && WEXITSTATUS(status) == STATUS);
    exits();
    MUST(wait3(NULL, 0, NULL) > 0);
    says(__func__, 0, 0);
}

static void wait_for_end(void)
{
    char byte;
    printf("ready %d\n", (int)getpid());
    fflush(stdout);
    while (read(STDIN_FILENO, &byte, 1) > 0) {
    }
    for (int i = 0; i < count; i++) {
        kill(kept[i], SIGKILL);
    }
    if (cat != NULL) {
        pclose(cat);
    }
}

static void ways(void)
{
    waited_for_any();
    spawn_fails();
    waited();
    stops(); /* by_fork */
    keep(by_fork());
    says("by_fork", 2, 0);
    keep(by_bare_fork());
    says("by_bare_fork", 1, 0);
    keep(by_vfork());
    from_a_thread();
    killed();
    says("by_vfork", 2, 1);
    keep(by_spawn());
    says("by_spawn", 1, 0);
    keep(by_spawnp());
    says("by_spawnp", 1, 0);
    keep(by_forkpty());
    says("by_forkpty", 1, 0);
    keep(by_clone());
    says("by_clone", 1, 0);
    keep(by_silent_clone());
    says("by_silent_clone", 1, 0);
    by_popen();
    exits();
    exits();
    says("exits", 0, 2);
    vfork_exits();
    forks_twice();
}

WAY vfork_ends(void)
{
    pid_t child = vfork(); /* NOLINT */
    if (child == 0) {
        _exit(0);
    }
    MUST(child > 0);
}

static void ignored(void)
{
    signal(SIGCHLD, SIG_IGN);
    for (int i = 0; i < IGNORED; i++) {
        vfork_ends();
    }
    keep(by_fork());
    says("by_fork", 1, 0);
}

int main(int argc, char **argv)
{
    const char *mode = argc > 1 ? argv[1] : "";
    setvbuf(stdout, NULL, _IOFBF, 1 << 16);
    if (strcmp(mode, "ignored") == 0) {
        ignored();
    } else {
        ways();
    }
    wait_for_end();
    return 0;
}
