/* A server whose main thread has ended; its first argument is the port. Each call
 * leaves a descriptor, and a thread that waits for a post that never comes. Call LATE
 * also wakes two threads that were there from the start: they lock each other out. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LATE 12 /* after leakcheck's first calls, which it does not judge */

static pthread_mutex_t locks[2] = {PTHREAD_MUTEX_INITIALIZER,
                                   PTHREAD_MUTEX_INITIALIZER};
static sem_t wakes[2];
static sem_t never;
static pthread_barrier_t both;
static int listener;

static void wait_for(sem_t *semaphore)
{
    while (sem_wait(semaphore) != 0) {
    }
}

static void *old_main(void *argument)
{
    int number = *(int *)argument;
    wait_for(&wakes[number]);
    pthread_mutex_lock(&locks[number]);
    pthread_barrier_wait(&both);
    pthread_mutex_lock(&locks[1 - number]); /* LEAK old */
    return NULL;
}

static void *new_main(void *argument)
{
    wait_for(&never);
    return argument;
}

static void start(void *(*run)(void *), void *argument)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, run, argument) != 0) {
        abort();
    }
    pthread_detach(thread);
}

static void serve(int connection)
{
    static int calls;
    static const char reply[] = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n"
                                "Connection: close\r\n\r\nok\n";
    char request[4096];
    if (read(connection, request, sizeof(request)) <= 0) {
        return;
    }
    if (++calls == LATE) {
        sem_post(&wakes[0]);
        sem_post(&wakes[1]);
    }
    if (dup(listener) < 0) {
        abort();
    }
    start(new_main, NULL);
    if (write(connection, reply, strlen(reply)) < 0) {
        abort();
    }
}

static void *serve_main(void *main_thread)
{
    pthread_join(*(pthread_t *)main_thread, NULL);
    for (;;) {
        int connection = accept(listener, NULL, NULL);
        if (connection >= 0) {
            serve(connection);
            close(connection);
        }
    }
    return NULL;
}

int main(int argc, char **argv)
{
    static int numbers[] = {0, 1};
    static pthread_t self;
    int yes = 1;
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port =
                                      htons((in_port_t)atoi(argc > 1 ? argv[1] : "0")),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    if (bind(listener, (struct sockaddr *)&address, sizeof(address)) != 0 ||
        listen(listener, 64) != 0) {
        return 1;
    }
    sem_init(&never, 0, 0);
    pthread_barrier_init(&both, NULL, 2);
    for (int i = 0; i < 2; i++) {
        sem_init(&wakes[i], 0, 0);
        start(old_main, &numbers[i]);
    }
    self = pthread_self();
    start(serve_main, &self);
    pthread_exit(NULL);
}
