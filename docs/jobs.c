/*
 * Runs fifty jobs, for profiles.md, and forgets what it has made for each: a descriptor,
 * a thread, a mapping and a child process.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

static void *job_main(void *table)
{
    return table;
}

static void job_run(void)
{
    pthread_t thread;
    open("/dev/zero", O_RDONLY);
    void *table = mmap(NULL, 1 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    pthread_create(&thread, NULL, job_main, table);
    if (fork() == 0) {
        _exit(0);
    }
}

int main(void)
{
    for (int i = 0; i < 50; i++) {
        job_run();
    }
    pause();
}
