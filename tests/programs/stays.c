/* Keeps some memory, does what daemons do, says "ready", and waits for SIGTERM, at
 * which it exits 7. usage: stays [daemon | closefrom | close | chroot | user | blocked
 * | handlers] */

#include <errno.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char *volatile blocks[100];
static volatile sig_atomic_t handled;

__attribute__((noinline)) static void keep_block(int number)
{
    blocks[number] = malloc(1000);
    if (blocks[number] != NULL) {
        memset(blocks[number], 1, 1000);
    }
}

static void count(int number)
{
    (void)number;
    handled++;
}

/* Takes every real-time signal for itself, and sends each to itself. */
static int take_signals(void)
{
    struct sigaction action = {.sa_handler = count};
    int first = SIGRTMIN, last = SIGRTMAX;
    for (int number = first; number <= last; number++) {
        if (sigaction(number, &action, NULL) != 0 || raise(number) != 0) {
            return -1;
        }
    }
    return handled == last - first + 1 ? 0 : -1;
}

static int close_all(void)
{
    for (int descriptor = 3; descriptor < 1024; descriptor++) {
        close(descriptor);
    }
    errno = 0;
    return 0;
}

static int drop_rights(void)
{
    if (setgroups(0, NULL) != 0 || setgid(65534) != 0 || setuid(65534) != 0) {
        return -1;
    }
    return setuid(0) == 0 ? -1 : 0;
}

static int change_root(void)
{
    return chroot(".") != 0 || chdir("/") != 0 ? -1 : 0;
}

static int block_all(void)
{
    sigset_t all;
    sigfillset(&all);
    return sigprocmask(SIG_SETMASK, &all, NULL);
}

static int close_from(void)
{
    closefrom(3);
    return 0;
}

static int become_daemon(void)
{
    return daemon(1, 1);
}

static int nothing(void)
{
    return 0;
}

static const struct {
    const char *name;
    int (*run)(void);
} modes[] = {
    {"", nothing},          {"daemon", become_daemon},  {"closefrom", close_from},
    {"close", close_all},   {"chroot", change_root},    {"user", drop_rights},
    {"blocked", block_all}, {"handlers", take_signals},
};

static int apply(const char *name)
{
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        if (strcmp(name, modes[i].name) == 0) {
            return modes[i].run();
        }
    }
    errno = EINVAL;
    return -1;
}

int main(int count_of, char **arguments)
{
    for (int i = 0; i < 100; i++) {
        keep_block(i);
    }
    sigset_t end;
    sigemptyset(&end);
    sigaddset(&end, SIGTERM);
    sigprocmask(SIG_BLOCK, &end, NULL);
    if (apply(count_of > 1 ? arguments[1] : "") != 0) {
        perror("stays");
        return 1;
    }
    printf("ready %d\n", (int)getpid());
    fflush(stdout);
    int number = 0;
    while (sigwait(&end, &number) != 0) {
    }
    return 7;
}
