/* A library whose constructor forks and changes its user while the loader's lock is
 * held, slowly enough for a profile to want that lock. */

#include <sys/wait.h>
#include <unistd.h>

__attribute__((constructor)) static void begin(void)
{
    usleep(500 * 1000);
    pid_t child = fork();
    if (child == 0) {
        _exit(0);
    }
    waitpid(child, NULL, 0);
    if (setuid(getuid()) != 0) {
        _exit(1);
    }
}
