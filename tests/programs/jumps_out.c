/* A signal handler jumps out of calls that it interrupts: open and close may be. */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <sys/time.h>
#include <unistd.h>

enum { JUMPS = 300 };

static sigjmp_buf start;
static volatile sig_atomic_t is_in;
static volatile sig_atomic_t jumps;

static void handler(int number)
{
    (void)number;
    if (is_in) {
        is_in = 0;
        jumps++;
        siglongjmp(start, 1);
    }
}

int main(void)
{
    char byte;
    const struct sigaction action = {.sa_handler = handler};
    struct itimerval often = {{0, 300}, {0, 300}};
    const struct itimerval never = {{0, 0}, {0, 0}};
    if (sigaction(SIGALRM, &action, NULL) != 0 ||
        setitimer(ITIMER_REAL, &often, NULL) != 0) {
        return 1;
    }
    while (jumps < JUMPS) {
        if (sigsetjmp(start, 1) == 0) {
            is_in = 1;
            for (int i = 0; i < 50; i++) {
                int fd = open("/dev/null", O_RDONLY);
                close(fd);
            }
            is_in = 0;
        }
    }
    setitimer(ITIMER_REAL, &never, NULL);
    puts("ready");
    fflush(stdout);
    while (read(STDIN_FILENO, &byte, 1) > 0) {
    }
    return 0;
}
