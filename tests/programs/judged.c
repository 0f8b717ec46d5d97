/*
 * A small HTTP server over plain sockets that leaks in the way that its first argument
 * names, or not at all; the second is its port. "closes" as the third: it closes the
 * connection after each reply. The marked lines are those that a judge must blame.
 */
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "judged_library.h"

#define BLOCK_BYTES 4096
#define SELDOM_CALLS 20
#define SELDOM_BYTES (64 * 1024)
#define CACHE_ENTRIES 15
#define POOL_THREADS 200
#define POOL_BYTES (48 * 1024)

/* What a leaky request keeps is reachable, as with most leaks in servers. */
struct block {
    struct block *next;
    char bytes[];
};

static struct block *blocks;
static bool closes;

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static void block_keep(struct block *block, size_t size)
{
    if (block == NULL) {
        die("malloc");
    }
    memset(block->bytes, 'x', size - sizeof(*block));
    block->next = blocks;
    blocks = block;
}

/* -- one request of each kind ------------------------------------------------------ */

static void clean_serve(void)
{
    char *text = malloc(BLOCK_BYTES);
    if (text != NULL) {
        memset(text, 'x', BLOCK_BYTES);
    }
    free(text);
}

static void heap_serve(void)
{
    block_keep(malloc(BLOCK_BYTES), BLOCK_BYTES); /* LEAK heap */
}

static void *xmalloc(size_t size)
{
    void *memory = malloc(size);
    if (memory == NULL) {
        die("malloc");
    }
    return memory;
}

static void wrapper_serve(void)
{
    block_keep(xmalloc(BLOCK_BYTES), BLOCK_BYTES); /* LEAK wrapper */
}

static void library_serve(void)
{
    if (library_remember("a request") < 0) { /* LEAK caller */
        die("library_remember");
    }
}

static void seldom_serve(void)
{
    static unsigned calls;
    if (++calls % SELDOM_CALLS == 0) {
        block_keep(malloc(SELDOM_BYTES), SELDOM_BYTES); /* LEAK seldom */
    }
    clean_serve();
}

static void cache_serve(void)
{
    static char *entries[CACHE_ENTRIES];
    static unsigned calls;
    unsigned at = calls++ % CACHE_ENTRIES;
    if (entries[at] == NULL && (entries[at] = malloc(BLOCK_BYTES)) != NULL) {
        memset(entries[at], 'x', BLOCK_BYTES);
    }
}

static void *stuck_main(void *argument)
{
    sem_t never;
    (void)argument;
    sem_init(&never, 0, 0);
    while (true) {
        sem_wait(&never); /* LEAK thread */
    }
    return NULL;
}

static void thread_serve(void)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, stuck_main, NULL) != 0) { /* LEAK start */
        die("pthread_create");
    }
    pthread_detach(thread);
}

static void descriptor_serve(void)
{
    if (open("/dev/null", O_RDONLY | O_CLOEXEC) < 0) { /* LEAK descriptor */
        die("open");
    }
}

static void timer_expired(union sigval value)
{
    (void)value;
}

/* glibc starts a helper thread for the first of these timers. */
static void timer_serve(void)
{
    timer_t timer;
    struct sigevent event = {.sigev_notify = SIGEV_THREAD,
                             .sigev_notify_function = timer_expired};
    struct itimerspec in_an_hour = {.it_value.tv_sec = 3600};
    if (timer_create(CLOCK_MONOTONIC, &event, &timer) != 0 || /* LEAK timer */
        timer_settime(timer, 0, &in_an_hour, NULL) != 0) {
        die("timer_create");
    }
}

/* Neighbours with the same offset in a file are never joined. */
static void mapping_serve(void)
{
    static int file = -1;
    if (file < 0) {
        file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    }
    void *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, file, 0); /* LEAK mapping */
    if (page == MAP_FAILED) {
        die("mmap");
    }
}

/* What is mapped for a while is no leak. */
static void passing_serve(void)
{
    for (int i = 0; i < 20; i++) {
        void *pages = mmap(NULL, 65536, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (pages == MAP_FAILED) {
            die("mmap");
        }
        memset(pages, 'x', 65536);
        munmap(pages, 65536);
    }
}

static void child_serve(void)
{
    pid_t child = fork(); /* LEAK child */
    if (child < 0) {
        die("fork");
    }
    if (child == 0) {
        _exit(0);
    }
}

/* Two threads that take two locks in two orders. */
struct pair {
    pthread_mutex_t locks[2];
    pthread_barrier_t both;
};

static void *first_main(void *argument)
{
    struct pair *pair = argument;
    pthread_mutex_lock(&pair->locks[0]);
    pthread_barrier_wait(&pair->both);
    pthread_mutex_lock(&pair->locks[1]); /* LEAK first */
    return NULL;
}

static void *second_main(void *argument)
{
    struct pair *pair = argument;
    pthread_mutex_lock(&pair->locks[1]);
    pthread_barrier_wait(&pair->both);
    pthread_mutex_lock(&pair->locks[0]); /* LEAK second */
    return NULL;
}

static void locked_serve(void)
{
    struct pair *pair = calloc(1, sizeof(*pair));
    pthread_t threads[2];
    if (pair == NULL) {
        die("calloc");
    }
    pthread_mutex_init(&pair->locks[0], NULL);
    pthread_mutex_init(&pair->locks[1], NULL);
    pthread_barrier_init(&pair->both, NULL, 2);
    void *(*const mains[])(void *) = {first_main, second_main};
    for (int i = 0; i < 2; i++) {
        if (pthread_create(&threads[i], NULL, mains[i], pair) != 0) { /* LEAK pair */
            die("pthread_create");
        }
        pthread_detach(threads[i]);
    }
}

/* -- the server -------------------------------------------------------------------- */

static void (*serve)(void);

static bool all_write(int connection, const char *text)
{
    size_t left = strlen(text);
    while (left > 0) {
        ssize_t written = send(connection, text, left, MSG_NOSIGNAL);
        if (written <= 0) {
            return false;
        }
        text += written;
        left -= (size_t)written;
    }
    return true;
}

/* Reads up to the end of a request's head; a body is not expected. */
static bool request_read(int connection)
{
    char head[4096];
    size_t length = 0;
    while (length < sizeof(head) - 1) {
        ssize_t more = recv(connection, head + length, sizeof(head) - 1 - length, 0);
        if (more <= 0) {
            return false;
        }
        length += (size_t)more;
        head[length] = '\0';
        if (strstr(head, "\r\n\r\n") != NULL) {
            return true;
        }
    }
    return false;
}

static void connection_serve(int connection)
{
    const char *reply = closes ? "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n"
                                 "Connection: close\r\n\r\nok\n"
                               : "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n";
    while (request_read(connection)) {
        serve();
        if (!all_write(connection, reply) || closes) {
            break;
        }
    }
    close(connection);
}

static void accept_for_ever(int listener)
{
    while (true) {
        int connection = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (connection >= 0) {
            connection_serve(connection);
        }
    }
}

static int listener_open(int port)
{
    int one = 1;
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener < 0 ||
        setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
        bind(listener, (struct sockaddr *)&address, sizeof(address)) < 0 ||
        listen(listener, 64) < 0) {
        die("listen");
    }
    return listener;
}

/* -- one thread, a pool of threads, or a process that serves ----------------------- */

static void *worker_main(void *argument)
{
    accept_for_ever(*(int *)argument);
    return NULL;
}

/* Each worker has an arena of its own in the C library, which warms up by itself. */
static void pool_serve(void)
{
    char *parts[4];
    for (int i = 0; i < 4; i++) {
        parts[i] = malloc(POOL_BYTES);
        if (parts[i] != NULL) {
            memset(parts[i], 'x', POOL_BYTES);
        }
    }
    for (int i = 0; i < 4; i++) {
        free(parts[i]);
    }
}

static void pool_run(int listener)
{
    pthread_t threads[POOL_THREADS];
    for (int i = 0; i < POOL_THREADS; i++) {
        if (pthread_create(&threads[i], NULL, worker_main, &listener) != 0) {
            die("pthread_create");
        }
    }
    for (int i = 0; i < POOL_THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
}

static pid_t worker;

static void worker_end(int number)
{
    kill(worker, number);
    _exit(0);
}

/* The first process only looks after the one that serves. */
static void forked_run(int listener)
{
    worker = fork();
    if (worker < 0) {
        die("fork");
    }
    if (worker == 0) {
        accept_for_ever(listener);
    }
    signal(SIGTERM, worker_end);
    waitpid(worker, NULL, 0);
}

static const struct kind {
    const char *name;
    void (*serve)(void);
    void (*run)(int listener);
} kinds[] = {{"clean", clean_serve, accept_for_ever},
             {"pool", pool_serve, pool_run},
             {"cache", cache_serve, accept_for_ever},
             {"heap", heap_serve, accept_for_ever},
             {"forked", heap_serve, forked_run},
             {"wrapper", wrapper_serve, accept_for_ever},
             {"library", library_serve, accept_for_ever},
             {"seldom", seldom_serve, accept_for_ever},
             {"thread", thread_serve, accept_for_ever},
             {"descriptor", descriptor_serve, accept_for_ever},
             {"timer", timer_serve, accept_for_ever},
             {"mapping", mapping_serve, accept_for_ever},
             {"passing", passing_serve, accept_for_ever},
             {"child", child_serve, accept_for_ever},
             {"locked", locked_serve, accept_for_ever}};

int main(int argc, char **argv)
{
    closes = argc == 4 && strcmp(argv[3], "closes") == 0;
    for (size_t i = 0; argc >= 3 && i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (strcmp(argv[1], kinds[i].name) == 0) {
            serve = kinds[i].serve;
            kinds[i].run(listener_open(atoi(argv[2])));
            return 0;
        }
    }
    fputs("usage: judged KIND PORT [closes]\n", stderr);
    return 2;
}
