/*
 * Has the directory of its argument for a root, where there is no /proc, and a thread
 * that waits by a system call of its own. Says "ready PID", and "early" if that wait
 * ends; waits for the end of its input.
 */
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { FOR_EVER = -1 };

/* The C library's poll would be waited for again. */
static void *wait_main(void *unused)
{
    struct pollfd nothing;
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(SYS_poll), "D"(&nothing), "S"(0L), "d"((long)FOR_EVER)
                     : "rcx", "r11", "memory");
    printf("early\n");
    fflush(stdout);
    return unused;
}

int main(int count, char **arguments)
{
    pthread_t thread;
    char byte;
    if (count < 2 || chroot(arguments[1]) != 0 || chdir("/") != 0 ||
        pthread_create(&thread, NULL, wait_main, NULL) != 0) {
        return 1;
    }
    printf("ready %d\n", (int)getpid());
    fflush(stdout);
    while (read(STDIN_FILENO, &byte, 1) > 0) {
    }
    return 0;
}
