/*
 * A program that makes it hard to stop its threads and to copy it, in the way that its
 * argument names; see the functions below. It prints "ready", then does what each line
 * of its input says, and prints "done LINE" for it:
 *
 *   exec      becomes this program again, with the argument "large"
 *   exit      exits 7
 *   free      whatever makes it hard ends
 *
 * At the end of its input it exits 5; with 1 if something was not as it should be.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { GOOD = 5, NOBODY = 65534, LARGE = 200000, PAGES = 60000 };

static const size_t page = 4096;
static atomic_bool freed;    /* by the line */
static void **volatile held; /* the blocks that are never lost */

static void need(bool right, const char *what)
{
    if (!right) {
        fprintf(stderr, "reach_storm: %s: %s\n", what, strerror(errno));
        _exit(1);
    }
}

static void thread_begin(void *(*run)(void *argument))
{
    pthread_t thread;
    need(pthread_create(&thread, NULL, run, NULL) == 0, "pthread_create");
    pthread_detach(thread);
}

static void nap(long microseconds)
{
    nanosleep(&(struct timespec){.tv_nsec = microseconds * 1000}, NULL);
}

/* ---- large: many blocks, so that a scan takes a while ---- */

static void large(void)
{
    held = malloc(LARGE * sizeof(*held));
    for (size_t i = 0; i < LARGE; i++) {
        held[i] = malloc(100);
        memset(held[i], 'x', 100);
    }
}

/* ---- threads: that begin and end all the time, and allocate ---- */

static void *short_life(void *argument)
{
    void *volatile block = malloc(100);
    free(block);
    return argument;
}

static void *starter(void *argument)
{
    while (!freed) {
        pthread_t threads[4];
        for (int i = 0; i < 4; i++) {
            need(pthread_create(&threads[i], NULL, short_life, NULL) == 0, "thread");
        }
        for (int i = 0; i < 4; i++) {
            pthread_join(threads[i], NULL);
        }
    }
    return argument;
}

static void threads(void)
{
    thread_begin(starter);
    thread_begin(starter);
}

/* ---- blocked: a thread that runs with all signals blocked, unknown to the C library
 */

static void *blocked_run(void *argument)
{
    uint64_t all = ~UINT64_C(0);
    uint64_t none = 0;
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, NULL, sizeof(all));
    while (!freed) {
        syscall(SYS_sched_yield);
    }
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, NULL, sizeof(none));
    for (;;) {
        pause();
    }
    return argument;
}

static void blocked(void)
{
    thread_begin(blocked_run);
}

/* ---- children: by fork, vfork, posix_spawn; none but those is ever seen ---- */

static atomic_int signals; /* SIGCHLD that were handled */

static void on_child(int number)
{
    signals += number == SIGCHLD;
}

static pid_t child_start(unsigned kind)
{
    char *const arguments[] = {"true", NULL};
    pid_t child = -1;
    if (kind == 0) {
        child = fork();
    } else if (kind == 1) {
        child = vfork(); /* NOLINT: the calling thread waits for it in the kernel */
    } else {
        need(posix_spawn(&child, "/bin/true", NULL, NULL, arguments, NULL) == 0,
             "posix_spawn");
    }
    if (child == 0) {
        syscall(SYS_nanosleep, &(struct timespec){.tv_nsec = 5000000}, NULL);
        _exit(0);
    }
    return child;
}

static void *children_run(void *argument)
{
    while (!freed) {
        for (unsigned kind = 0; kind < 3; kind++) {
            int before = signals;
            pid_t child = child_start(kind);
            int status = -1;
            pid_t ended = waitpid(-1, &status, 0);
            need(child > 0 && ended == child && status == 0, "waitpid(-1)");
            need(waitpid(-1, &status, 0) == -1 && errno == ECHILD, "no other child");
            while (signals == before) {
                nap(100); /* another thread may handle it a little later */
            }
            need(signals == before + 1, "one SIGCHLD");
        }
    }
    printf("no other child\n");
    fflush(stdout);
    return argument;
}

static void children(void)
{
    struct sigaction action = {.sa_handler = on_child, .sa_flags = SA_RESTART};
    sigaction(SIGCHLD, &action, NULL);
    thread_begin(children_run);
}

/* ---- maps: 60,000 mappings, every other one without any access ---- */

static void maps(void)
{
    char *memory = mmap(NULL, PAGES * page, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    need(memory != MAP_FAILED, "mmap");
    void *block = calloc(1, 1000);
    memcpy(memory + (PAGES - 2) * page, &block, sizeof(block)); /* it is held there */
    for (size_t i = 1; i < PAGES; i += 2) {
        need(mprotect(memory + i * page, page, PROT_NONE) == 0, "mprotect");
    }
}

/* ---- truncated: a mapping of which the file has lost all but the first page ---- */

static void truncated(void)
{
    char name[] = "/tmp/reach_storm.XXXXXX";
    int fd = mkstemp(name);
    need(fd >= 0 && ftruncate(fd, 4 * (off_t)page) == 0, "file");
    unlink(name);
    char *memory = mmap(NULL, 4 * page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    need(memory != MAP_FAILED, "mmap");
    void *block = calloc(1, 1000);
    memcpy(memory, &block, sizeof(block));
    need(ftruncate(fd, (off_t)page) == 0, "ftruncate");
    close(fd);
}

/* ---- shared: memory that is not used yet, and is taken by whoever reads it ---- */

static void shared(void)
{
    size_t bytes = (size_t)64 * 1024 * 1024;
    int file = memfd_create("shared", MFD_CLOEXEC);
    need(file >= 0 && ftruncate(file, (off_t)bytes) == 0, "memfd_create");
    void **area = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    need(area != MAP_FAILED, "mmap");
    held = &area[bytes / sizeof(*area) / 2];
    *held = malloc(100);
}

/* ---- limits ---- */

static void limit(int which, rlim_t value)
{
    struct rlimit both;
    getrlimit(which, &both);
    both.rlim_cur = value < both.rlim_max ? value : both.rlim_max;
    need(setrlimit(which, &both) == 0, "setrlimit");
}

/* No memory for more than a few small things. */
static void memory(void)
{
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    need(file != NULL && fscanf(file, "%ld", &pages) == 1, "statm");
    fclose(file);
    limit(RLIMIT_AS, (rlim_t)pages * page + 64 * 1024 * 1024);
}

static void memory_free(void)
{
    void *volatile block = malloc(1000 * 1000);
    need(block != NULL, "malloc"); /* within the limit, as before the scan */
    free(block);
    limit(RLIMIT_AS, RLIM_INFINITY);
}

/* A user who may start no process. */
static void processes(void)
{
    need(setresuid(NOBODY, NOBODY, NOBODY) == 0, "setresuid");
    limit(RLIMIT_NPROC, 0);
}

static void processes_free(void)
{
    limit(RLIMIT_NPROC, RLIM_INFINITY);
}

/* ---- undumpable: the files of its /proc are root's, and it is not ---- */

static void undumpable(void)
{
    need(setresuid(NOBODY, NOBODY, NOBODY) == 0, "setresuid");
    need(prctl(PR_SET_DUMPABLE, 0) == 0, "prctl");
}

/* ---- users: changes of the user, for which the C library stops all threads ---- */

static void *users_run(void *argument)
{
    while (!freed) {
        need(setresuid((uid_t)-1, 0, (uid_t)-1) == 0, "setresuid");
        nap(20000);
    }
    return argument;
}

static void users(void)
{
    large();
    thread_begin(users_run);
}

/* ---- */

static const struct way {
    const char *name;
    void (*begin)(void);
    void (*free)(void);
} ways[] = {
    {"large", large, NULL},
    {"threads", threads, NULL},
    {"blocked", blocked, NULL},
    {"children", children, NULL},
    {"maps", maps, NULL},
    {"truncated", truncated, NULL},
    {"shared", shared, NULL},
    {"memory", memory, memory_free},
    {"processes", processes, processes_free},
    {"undumpable", undumpable, NULL},
    {"users", users, NULL},
};

static void obey(const char *line, const struct way *way, char *program)
{
    if (strcmp(line, "exec") == 0) {
        execl(program, program, "large", (char *)NULL);
        need(false, "execl");
    } else if (strcmp(line, "exit") == 0) {
        exit(7);
    } else if (way->free != NULL) {
        way->free();
    }
    freed = true;
}

int main(int count, char **arguments)
{
    const struct way *way = NULL;
    char line[32];
    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        if (count == 2 && strcmp(arguments[1], ways[i].name) == 0) {
            way = &ways[i];
        }
    }
    if (way == NULL) {
        fprintf(stderr, "usage: reach_storm WAY\n");
        return 2;
    }
    way->begin();
    printf("ready\n");
    fflush(stdout);
    while (fgets(line, sizeof(line), stdin) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        obey(line, way, arguments[0]);
        printf("done %s\n", line);
        fflush(stdout);
    }
    _exit(GOOD);
}
