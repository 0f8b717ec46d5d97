/* Threads that wait for locks in memory that other processes have too, where memory
 * cannot be read as usual, and in a wait that a stop has interrupted. Argument 1 says
 * which, argument 2 a file to be shared. Says "ready PID", and waits for the end of its
 * input. */
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static pthread_mutex_t first = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t second = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t never = PTHREAD_COND_INITIALIZER;
static pthread_barrier_t both;

static void need(int is_good)
{
    if (!is_good) {
        _exit(3);
    }
}

static void start(const char *name, void *(*run)(void *argument), void *argument)
{
    pthread_t thread;
    need(pthread_create(&thread, NULL, run, argument) == 0);
    pthread_setname_np(thread, name);
}

static void *lock(void *mutex)
{
    pthread_mutex_lock(mutex);
    return NULL;
}

/* ---- Memory that processes share ---- */

static pthread_mutex_t *in_file(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT, 0600);
    need(fd >= 0 && ftruncate(fd, 4096) == 0);
    void *memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    need(memory != MAP_FAILED);
    return memory;
}

/* Its main thread has the lock, which is made for several processes. */
static void holds(const char *path)
{
    pthread_mutexattr_t attributes;
    pthread_mutex_t *mutex = in_file(path);
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    pthread_mutex_init(mutex, &attributes);
    pthread_mutex_lock(mutex);
}

/* The same for one process alone, as a program does that forgets the attribute. */
static void holds_plainly(const char *path)
{
    pthread_mutex_t *mutex = in_file(path);
    pthread_mutex_init(mutex, NULL);
    pthread_mutex_lock(mutex);
}

static void waits(const char *path)
{
    start("waits", lock, in_file(path));
}

/* ---- Memory that cannot be read ---- */

/* A system call that the probe does not see. */
static long call_unseen(long number, long one, long two, const void *three)
{
    long result = number;
    __asm__ volatile("syscall"
                     : "+a"(result)
                     : "D"(one), "S"(two), "d"(three)
                     : "rcx", "r11", "memory");
    return result;
}

/* From now on this system call fails in all threads, as where a container forbids it:
 * there the filter is set before the probe is there. */
static void forbid(unsigned number)
{
    struct sock_filter steps[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 1 /* EPERM */),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const struct sock_fprog filter = {sizeof(steps) / sizeof(steps[0]), steps};
    need(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         call_unseen(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC,
                     &filter) == 0);
}

static void *first_then_second(void *argument)
{
    pthread_mutex_lock(&first);
    pthread_barrier_wait(&both);
    pthread_mutex_lock(&second);
    return argument;
}

static void *second_then_first(void *argument)
{
    pthread_mutex_lock(&second);
    pthread_barrier_wait(&both);
    pthread_mutex_lock(&first);
    return argument;
}

static void deadlock(void)
{
    pthread_barrier_init(&both, NULL, 2);
    start("one", first_then_second, NULL);
    start("two", second_then_first, NULL);
}

/* A thread waits for a lock whose memory goes, at an address that nobody else gets. */
static void unmap(void)
{
    void *at = (void *)0x100000000000; // NOLINT(performance-no-int-to-ptr)
    pthread_mutex_t *mutex =
        mmap(at, 4096, PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    need(mutex != MAP_FAILED);
    pthread_mutex_lock(mutex);
    start("gone", lock, mutex);
    while (__atomic_load_n(&mutex->__data.__lock, __ATOMIC_RELAXED) != 2) {
        usleep(1000);
    }
    usleep(20000); /* from there into the wait */
    munmap(mutex, 4096);
}

static void refused(const char *path)
{
    (void)path;
    deadlock();
    unmap();
    forbid(SYS_process_vm_readv);
}

static void unreadable(const char *path)
{
    (void)path;
    deadlock();
    forbid(SYS_process_vm_readv);
    forbid(SYS_pread64);
}

/* ---- A wait that was stopped ---- */

/* It has the first, and needs the second when its wait ends. */
static void *first_and_condition(void *argument)
{
    struct timespec end;
    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += 3600;
    pthread_mutex_lock(&first);
    pthread_mutex_lock(&second);
    pthread_barrier_wait(&both);
    pthread_cond_timedwait(&never, &second, &end);
    return argument;
}

static void *second_when_free(void *argument)
{
    pthread_barrier_wait(&both);
    pthread_mutex_lock(&second);
    pthread_mutex_lock(&first);
    return argument;
}

static void condition(const char *path)
{
    (void)path;
    pthread_barrier_init(&both, NULL, 2);
    start("one", first_and_condition, NULL);
    start("two", second_when_free, NULL);
}

int main(int count, char **arguments)
{
    static const struct {
        const char *name;
        void (*run)(const char *path);
    } ways[] = {{"holds", holds},         {"holds-plainly", holds_plainly},
                {"waits", waits},         {"refused", refused},
                {"condition", condition}, {"unreadable", unreadable}};
    for (unsigned i = 0; count > 1 && i < sizeof(ways) / sizeof(ways[0]); i++) {
        if (strcmp(arguments[1], ways[i].name) == 0) {
            ways[i].run(arguments[2]);
            printf("ready %d\n", (int)getpid());
            fflush(stdout);
            while (getchar() != EOF) {
            }
            return 0;
        }
    }
    return 2;
}
