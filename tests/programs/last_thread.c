/* Its main thread ends by pthread_exit, while another one still works: the process ends
 * with that one. */

#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

static void *work(void *unused)
{
    usleep(300 * 1000);
    puts("last");
    fflush(stdout);
    return unused;
}

int main(void)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, work, NULL) != 0) {
        return 1;
    }
    pthread_exit(NULL);
}
