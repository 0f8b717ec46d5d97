/* The main thread ends by pthread_exit, while another one goes on until input ends. The
 * main thread's stack had the only pointer to one block; a global has that to another,
 * an epoll descriptor that to a third, and the arguments that to a fourth. */
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

void *kept;

static void *block(size_t bytes)
{
    void *memory = malloc(bytes);
    return memory == NULL ? NULL : memset(memory, 'x', bytes);
}

/* Says "ready" when the main thread has ended. */
static void *work(void *main_thread)
{
    char byte;
    pthread_join(*(pthread_t *)main_thread, NULL);
    puts("ready");
    fflush(stdout);
    while (read(STDIN_FILENO, &byte, 1) > 0) {
    }
    return NULL;
}

/* Where it ends, the pointer is in the kernel alone. */
static __attribute__((noinline)) int epoll_block(void)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = block(3000)};
    int fd = epoll_create1(0); /* NOLINT: the kernel holds the block */
    int failed = epoll_ctl(fd, EPOLL_CTL_ADD, STDIN_FILENO, &event);
    memset(&event, 0, sizeof(event));
    __asm__ volatile("" : : "r"(&event) : "memory");
    return failed;
}

int main(int count, char **arguments)
{
    static pthread_t self;
    pthread_t thread;
    void *volatile on_stack = block(1000);
    kept = block(2000);
    self = pthread_self();
    arguments[count - 1] = block(4000);
    bool ready = on_stack != NULL && kept != NULL; /* NOLINT: it is to be lost */
    if (!ready || epoll_block() != 0 ||
        pthread_create(&thread, NULL, work, &self) != 0) {
        return 1;
    }
    pthread_exit(NULL);
}
