/* A library whose constructor waits for locks before the probe has begun, like an
 * allocator's; with MAIN the program that is linked to it, which does so again. */
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

extern long early_count;
void early_run(void);

#ifdef MAIN

int main(void)
{
    early_run();
    printf("%ld\n", early_count);
    return 0;
}

#else

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
long early_count;

/* Holds the locks long enough that the other thread waits. */
static void *count_up(void *unused)
{
    for (int i = 0; i < 100; i++) {
        pthread_mutex_lock(&mutex);
        pthread_rwlock_wrlock(&rwlock);
        early_count++;
        usleep(100);
        pthread_rwlock_unlock(&rwlock);
        pthread_mutex_unlock(&mutex);
        pthread_rwlock_rdlock(&rwlock);
        pthread_rwlock_unlock(&rwlock);
    }
    return unused;
}

__attribute__((constructor)) void early_run(void)
{
    pthread_t threads[3];
    for (int i = 0; i < 3; i++) {
        pthread_create(&threads[i], NULL, count_up, NULL);
    }
    for (int i = 0; i < 3; i++) {
        pthread_join(threads[i], NULL);
    }
}

#endif
