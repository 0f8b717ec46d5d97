/*
 * A signal handler with a small stack of its own, SIGSTKSZ as it was for many years,
 * below which nothing is mapped. It opens and makes what a handler may. With an
 * argument the kernel forgets the stack while the handler runs: SS_AUTODISARM.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { STACK = 8192 };

#define AUTODISARM ((int)(1U << 31)) /* the C library's header has no name for it */

static volatile sig_atomic_t made;

static void handler(int number)
{
    int pair[2];
    timer_t timer;
    (void)number;
    int file = open("/dev/null", O_RDONLY);
    made += file >= 0 && dup2(file, 100) == 100 && close(100) == 0 && close(file) == 0;
    made += pipe(pair) == 0 && close(pair[0]) == 0 && close(pair[1]) == 0;
    int end = socket(AF_UNIX, SOCK_STREAM, 0);
    made += end >= 0 && close(end) == 0;
    made +=
        timer_create(CLOCK_MONOTONIC, NULL, &timer) == 0 && timer_delete(timer) == 0;
}

int main(int count, char **arguments)
{
    (void)arguments;
    char *below =
        mmap(NULL, (size_t)3 * STACK, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    const stack_t own = {.ss_sp = below + STACK,
                         .ss_size = STACK,
                         .ss_flags = count > 1 ? AUTODISARM : 0};
    const struct sigaction action = {.sa_handler = handler, .sa_flags = SA_ONSTACK};
    if (below == MAP_FAILED ||
        mprotect(below + STACK, STACK, PROT_READ | PROT_WRITE) != 0 ||
        sigaltstack(&own, NULL) != 0 || sigaction(SIGUSR1, &action, NULL) != 0) {
        return 1;
    }
    raise(SIGUSR1);
    printf("made %d\n", (int)made);
    return 0;
}
