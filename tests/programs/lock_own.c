/* A program with a pthread_mutex_lock of its own. Says "ready PID", and waits for the
 * end of its input. */
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

int pthread_mutex_lock(pthread_mutex_t *mutex)
{
    return pthread_mutex_trylock(mutex);
}

int main(void)
{
    printf("ready %d\n", (int)getpid());
    fflush(stdout);
    while (getchar() != EOF) {
    }
    return 0;
}
