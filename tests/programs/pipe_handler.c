/*
 * A signal handler that makes pipes, while the thread that it interrupts opens files
 * all the time. Their numbers are the lowest that are free.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/time.h>
#include <unistd.h>

enum { PIPES = 1500, HIGHEST = 20 };

static volatile sig_atomic_t pipes;
static volatile sig_atomic_t odd;

static void handler(int number)
{
    int pair[2];
    (void)number;
    pipes++;
    if (pipe2(pair, O_CLOEXEC) != 0 || pair[0] > HIGHEST || pair[1] > HIGHEST ||
        close(pair[0]) != 0 || close(pair[1]) != 0) {
        odd++;
    }
}

int main(void)
{
    const struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
    const struct itimerval often = {{0, 150}, {0, 150}};
    const struct itimerval never = {{0, 0}, {0, 0}};
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &often, NULL);
    while (pipes < PIPES) {
        close(open("/dev/null", O_RDONLY));
    }
    setitimer(ITIMER_REAL, &never, NULL);
    printf("odd pipes: %d\n", (int)odd);
    return 0;
}
