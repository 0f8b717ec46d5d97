/* Blocks that no variable with a name holds: stacks, threads, mappings, the kernel, a
 * library. */
#include <fcntl.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "cases.h"

static sem_t ready;
static sem_t never;
static void *volatile first_of_two;

/* Starts a thread and waits until it has made its blocks. */
static void start(const char *name, void *(*run)(void *), void *argument)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, run, argument) != 0 ||
        pthread_setname_np(thread, name) != 0) {
        abort();
    }
    sem_wait(&ready);
}

static APART void wait_for_ever(void)
{
    sem_post(&ready);
    while (sem_wait(&never) != 0) {
    }
}

/* ---- Stacks ---- */

static APART void *tray_make(size_t bytes)
{
    return TOLD(malloc(bytes));
}

static APART void tray_wait(void)
{
    wait_for_ever();
    puts("");
}

static APART void tray_hold(void)
{
    void *volatile tray[20];
    tray[3] = tray_make(130);
    stack_wipe();
    tray_wait();
    free(tray[3]);
}

static APART void *tray_start(void *argument)
{
    tray_hold();
    return argument;
}

/* Not the function that waits, nor the first: the one whose variable it is.
 * 1: 130 @ tray_make < thread "tray": tray_hold */
static void case_stack(void)
{
    start("tray", tray_start, NULL);
}

static APART void *mail_make(void)
{
    return TOLD(malloc(140));
}

static APART void *mail_start(void *argument)
{
    void *volatile mail = mail_make();
    stack_wipe();
    wait_for_ever();
    free(mail);
    return argument;
}

/* A thread's name may have anything in it; a '?' stands for a control character.
 * 1: 140 @ mail_make < thread "e "?": mail_start */
static void case_thread_name(void)
{
    start("e \"\033", mail_start, NULL);
}

static APART void *twice_make(void)
{
    return TOLD(malloc(145));
}

static APART void *twice_start(void *argument)
{
    void *volatile kept = first_of_two;
    wait_for_ever();
    free(kept);
    return argument;
}

/* A variable comes before a stack.
 * 1: 145 @ twice_make < global first_of_two shared */
static void case_global_and_stack(void)
{
    first_of_two = twice_make();
    start("twice", twice_start, NULL);
}

/* ---- Threads ---- */

static APART void *order_make(void)
{
    return TOLD(malloc(150));
}

static APART void *order_start(void *argument)
{
    argument = NULL; /* it is no longer on the stack */
    wait_for_ever();
    return argument;
}

/* Only what the thread was started with leads to it.
 * 1: 150 @ order_make < thread "order" */
static void case_start_argument(void)
{
    start("order", order_start, order_make());
}

static pthread_key_t key;

static APART void *badge_make(void)
{
    return TOLD(malloc(160));
}

static APART void badge_set(void)
{
    pthread_setspecific(key, badge_make());
}

static APART void *badge_start(void *argument)
{
    badge_set();
    stack_wipe();
    wait_for_ever();
    return argument;
}

/* 1: 160 @ badge_make < thread "badge" */
static void case_setspecific(void)
{
    pthread_key_create(&key, NULL);
    start("badge", badge_start, NULL);
}

/* ---- Mappings ---- */

static APART void *page_of(int fd, int flags)
{
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, flags, fd, 0);
    if (page == MAP_FAILED) {
        abort();
    }
    return page;
}

static APART void *filed_make(void)
{
    return TOLD(malloc(170));
}

/* 1: 170 @ filed_make < mapping FILE */
static void case_mapping_file(void)
{
    char path[] = "/tmp/retained-XXXXXX";
    int fd = mkstemp(path);
    if (fd < 0 || ftruncate(fd, 4096) != 0) {
        abort();
    }
    void **page = page_of(fd, MAP_SHARED);
    page[17] = filed_make();
    unlink(path);
    close(fd);
}

static APART void *memory_make(void)
{
    return TOLD(malloc(180));
}

/* 1: 180 @ memory_make < mapping /memfd:a pool (deleted) */
static void case_mapping_memory_file(void)
{
    int fd = memfd_create("a pool", MFD_CLOEXEC);
    if (fd < 0 || ftruncate(fd, 4096) != 0) {
        abort();
    }
    void **page = page_of(fd, MAP_SHARED);
    page[5] = memory_make();
    close(fd);
}

static APART void *nameless_make(void)
{
    return TOLD(malloc(190));
}

/* 1: 190 @ nameless_make < mapping anonymous */
static void case_mapping_anonymous(void)
{
    void **page = page_of(-1, MAP_PRIVATE | MAP_ANONYMOUS);
    page[500] = nameless_make();
}

/* ---- The kernel ---- */

static APART void *watch_make(void)
{
    return TOLD(malloc(200));
}

/* 1: 200 @ watch_make < kernel: epoll */
static void case_epoll(void)
{
    int ends[2];
    int set = epoll_create1(EPOLL_CLOEXEC);
    if (set < 0 || pipe(ends) != 0) {
        abort();
    }
    struct epoll_event event = {.events = EPOLLIN, .data = {.ptr = watch_make()}};
    epoll_ctl(set, EPOLL_CTL_ADD, ends[0], &event);
}

static APART void *alarm_make(void)
{
    return TOLD(malloc(215));
}

/* 1: 215 @ alarm_make < kernel: timer */
static void case_timer(void)
{
    timer_t timer;
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL,
                             .sigev_signo = SIGURG,
                             .sigev_value = {.sival_ptr = alarm_make()}};
    if (timer_create(CLOCK_MONOTONIC, &event, &timer) != 0) {
        abort();
    }
}

/* ---- A library ---- */

static APART FILE *log_open(void)
{
    return fopen("/dev/null", "w");
}

static APART void log_write(FILE *log)
{
    fputs("a line\n", log);
}

/* The C library has a list of all streams. A stream's size is its own affair.
 * 1: * @ log_open < library libc.so.6
 * 1: 4096 @ log_write < log_open < library libc.so.6 */
static void case_stdio(void)
{
    log_write(log_open());
}

static APART void environment_add(void)
{
    setenv("RETAINED", "a value", 1);
}

/* *: * @ environment_add < library libc.so.6 */
static void case_environment(void)
{
    environment_add();
}

/* ---- The main thread ---- */

static APART void *desk_make(void)
{
    return TOLD(malloc(230));
}

static APART int desk_hold(const struct held_case *cases, size_t count, int argc,
                           char **argv)
{
    void *volatile desk = desk_make();
    stack_wipe();
    int status = cases_main(cases, count, argc, argv);
    free(desk);
    return status;
}

/* 1: 230 @ desk_make < thread "places": desk_hold */
static void case_main_stack(void)
{
}

int main(int argc, char **argv)
{
    static const struct held_case cases[] = {
        {"main_stack", case_main_stack, false},
        {"stack", case_stack, false},
        {"thread_name", case_thread_name, false},
        {"global_and_stack", case_global_and_stack, false},
        {"start_argument", case_start_argument, false},
        {"setspecific", case_setspecific, false},
        {"mapping_file", case_mapping_file, false},
        {"mapping_memory_file", case_mapping_memory_file, false},
        {"mapping_anonymous", case_mapping_anonymous, false},
        {"epoll", case_epoll, false},
        {"timer", case_timer, false},
        {"stdio", case_stdio, false},
        {"environment", case_environment, false},
    };
    sem_init(&ready, 0, 0);
    sem_init(&never, 0, 0);
    pthread_setname_np(pthread_self(), "places");
    return desk_hold(cases, sizeof(cases) / sizeof(cases[0]), argc, argv);
}
