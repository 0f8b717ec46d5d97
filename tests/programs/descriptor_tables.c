/* Threads and children with tables of descriptors of their own, as the first argument
 * says. It says "NAME NUMBER" of what the main thread has, and "ready" when it is at
 * rest; it ends with a line of its input. */

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define KEEP_FRAME __asm__ volatile("")
#define OPENER __attribute__((noinline)) static int
#define KEPT 10        /* the profile shows as many of one group */
#define OTHERS_END 100 /* the program's numbers are below */
#define STACK_BYTES ((size_t)256 * 1024)

static const char *how;
static int kept[KEPT];
static atomic_int step;

static void must(int good, const char *what)
{
    if (!good) {
        fprintf(stderr, "%s: %s\n", what, strerror(errno));
        exit(1);
    }
}

OPENER open_file(void)
{
    int fd = open("/etc/passwd", O_RDONLY);
    KEEP_FRAME;
    return fd;
}

/* In another table than the main thread's. */
OPENER open_elsewhere(void)
{
    int fd = open("/etc/group", O_RDONLY);
    KEEP_FRAME;
    return fd;
}

static void all_open(void)
{
    for (int i = 0; i < KEPT; i++) {
        kept[i] = open_file();
        must(kept[i] >= 0, "open");
    }
}

static void all_open_elsewhere(void)
{
    for (int i = 0; i < KEPT; i++) {
        must(open_elsewhere() >= 0, "open");
    }
}

static void all_close(void)
{
    for (int fd = STDERR_FILENO + 1; fd < OTHERS_END; fd++) {
        close(fd);
    }
}

static void step_await(int wanted)
{
    while (atomic_load(&step) < wanted) {
        usleep(1000);
    }
}

static void stay(void)
{
    atomic_fetch_add(&step, 1);
    for (;;) {
        pause();
    }
}

/* ---- Threads ---- */

static void *leaving_main(void *unused)
{
    if (strcmp(how, "ranged") == 0) {
        must(close_range(3, OTHERS_END, CLOSE_RANGE_UNSHARE) == 0, "close_range");
    } else {
        must(unshare(CLONE_FILES) == 0, "unshare");
        all_close();
    }
    if (strcmp(how, "moved") == 0) {
        /* Around this call there is no thread of the probe; the next one is started
         * from here. */
        must(prctl(PR_SET_KEEPCAPS, 0L, 0L, 0L, 0L) == 0, "prctl");
    }
    stay();
    return unused;
}

static void *inner_main(void *unused)
{
    all_open_elsewhere();
    stay();
    return unused;
}

/* The thread that it starts has its table. */
static void *outer_main(void *unused)
{
    pthread_t thread;
    must(unshare(CLONE_FILES) == 0, "unshare");
    all_close();
    must(pthread_create(&thread, NULL, inner_main, NULL) == 0, "thread");
    stay();
    return unused;
}

/* It keeps the table that the main thread leaves. */
static void *staying_main(void *unused)
{
    atomic_fetch_add(&step, 1);
    step_await(2);
    all_open_elsewhere();
    stay();
    return unused;
}

static void thread_start(void *(*routine)(void *))
{
    pthread_t thread;
    must(pthread_create(&thread, NULL, routine, NULL) == 0, "thread");
}

static void main_leaves(void)
{
    thread_start(staying_main);
    step_await(1);
    must(unshare(CLONE_FILES) == 0, "unshare");
    all_open();
    atomic_fetch_add(&step, 1);
    step_await(3);
}

/* ---- A child with the same memory ---- */

static int child_main(void *unused)
{
    (void)unused;
    all_close();
    all_open_elsewhere();
    _exit(6);
}

static void child_run(void)
{
    int status = 0;
    char *stack = malloc(STACK_BYTES);
    must(stack != NULL, "malloc");
    pid_t child = clone(child_main, stack + STACK_BYTES, CLONE_VM | SIGCHLD, NULL);
    must(waitpid(child, &status, 0) == child && WEXITSTATUS(status) == 6, "child");
    free(stack);
}

/* ---- A call that is refused ---- */

/* A system call that nothing can stand in front of. */
static long raw(long number, long one, long two, long three)
{
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(one), "S"(two), "d"(three)
                     : "rcx", "r11", "memory");
    return result;
}

static void refused(void)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_close_range, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof(filter) / sizeof(filter[0]), filter};
    must(raw(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0) == 0, "prctl");
    must(raw(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, (long)&program) == 0, "seccomp");
    must(close_range(3, OTHERS_END, 0) != 0 && errno == EPERM, "close_range");
    must(close_range(3, OTHERS_END, CLOSE_RANGE_UNSHARE) != 0 && errno == EPERM,
         "close_range in a table of its own");
    must(close_range(5, 3, 0) != 0, "close_range of no range");
}

int main(int count, char **arguments)
{
    how = count > 1 ? arguments[1] : "";
    if (strcmp(how, "main") == 0) {
        main_leaves();
    } else {
        all_open();
    }
    if (strcmp(how, "inner") == 0) {
        thread_start(outer_main);
        step_await(2);
    } else if (strcmp(how, "memory") == 0) {
        child_run();
    } else if (strcmp(how, "refused") == 0) {
        refused();
    } else if (strcmp(how, "main") != 0) {
        thread_start(leaving_main);
        step_await(1);
    }
    for (int i = 0; i < KEPT; i++) {
        printf("open_file %d\n", kept[i]);
    }
    printf("ready\n");
    fflush(stdout);
    getchar();
    return 0;
}
