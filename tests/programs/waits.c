/*
 * Threads that wait, each in its own way, until standard input ends. Nothing else ends
 * their waits. A wait that ends before that is reported: "early NAME ERRNO". At the
 * end: "waits N early M". Exits 1 if one ended early.
 *
 * Each wait is a function NAME_run without arguments, called by wait_main in a thread
 * of its own. It returns what its call returned. Meant to be profiled again and again
 * meanwhile.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LONG 600 /* seconds: longer than any test */

static const struct timespec long_time = {.tv_sec = LONG};

static void need(bool right, const char *what)
{
    if (!right) {
        perror(what);
        _exit(2);
    }
}

static struct timespec long_end(clockid_t clock)
{
    struct timespec end;
    clock_gettime(clock, &end);
    end.tv_sec += LONG;
    return end;
}

/* -- sleeping -- */

static long nanosleep_run(void)
{
    return nanosleep(&long_time, NULL);
}

static long clock_nanosleep_run(void)
{
    struct timespec end = long_end(CLOCK_MONOTONIC);
    return clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &end, NULL);
}

static long usleep_run(void)
{
    return usleep(LONG * 1000000U);
}

static long sleep_run(void)
{
    return sleep(LONG);
}

/* -- until a descriptor is ready -- */

static long poll_run(void)
{
    return poll(NULL, 0, LONG * 1000);
}

static long ppoll_run(void)
{
    sigset_t none;
    sigemptyset(&none);
    return ppoll(NULL, 0, &long_time, &none);
}

static long select_run(void)
{
    struct timeval time = {.tv_sec = LONG};
    return select(0, NULL, NULL, NULL, &time);
}

static long pselect_run(void)
{
    return pselect(0, NULL, NULL, NULL, &long_time, NULL);
}

static long epoll_wait_run(void)
{
    struct epoll_event event;
    return epoll_wait(epoll_create1(EPOLL_CLOEXEC), &event, 1, LONG * 1000);
}

static long epoll_pwait_run(void)
{
    struct epoll_event event;
    sigset_t none;
    sigemptyset(&none);
    return epoll_pwait(epoll_create1(EPOLL_CLOEXEC), &event, 1, -1, &none);
}

/* The same, but not through the C library. */
static long raw_poll_run(void)
{
#ifdef __x86_64__
    long result = SYS_poll;
    __asm__ volatile("syscall"
                     : "+a"(result)
                     : "D"(0L), "S"(0L), "d"((long)LONG * 1000)
                     : "rcx", "r11", "memory");
    errno = result < 0 ? (int)-result : errno;
    return result;
#else
    return poll(NULL, 0, LONG * 1000);
#endif
}

/* -- for a signal -- */

static long pause_run(void)
{
    return pause();
}

static long sigsuspend_run(void)
{
    sigset_t none;
    sigemptyset(&none);
    return sigsuspend(&none);
}

/* The signals that a thread waits for, blocked. */
static sigset_t awaited(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    return set;
}

static long sigwait_run(void)
{
    sigset_t set = awaited();
    int number;
    return sigwait(&set, &number);
}

static long sigwaitinfo_run(void)
{
    sigset_t set = awaited();
    return sigwaitinfo(&set, NULL);
}

static long sigtimedwait_run(void)
{
    sigset_t set = awaited();
    return sigtimedwait(&set, NULL, &long_time);
}

/* Like the threads of many programs: it blocks every signal. */
static long deaf_nanosleep_run(void)
{
    sigset_t all;
    sigfillset(&all);
    sigdelset(&all, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &all, NULL);
    return nanosleep(&long_time, NULL);
}

/* -- for another thread -- */

static sem_t semaphore; /* nobody posts it before the end */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static bool condition_holds;
static pthread_mutex_t taken = PTHREAD_MUTEX_INITIALIZER; /* main has it */
static pthread_barrier_t barrier;
static atomic_int futex_word;
static pthread_t pausing; /* the thread that is joined */

static long sem_wait_run(void)
{
    return sem_wait(&semaphore);
}

static long sem_timedwait_run(void)
{
    struct timespec end = long_end(CLOCK_REALTIME);
    return sem_timedwait(&semaphore, &end);
}

static long cond_wait_run(void)
{
    pthread_mutex_lock(&mutex);
    while (!condition_holds) {
        pthread_cond_wait(&condition, &mutex);
    }
    return pthread_mutex_unlock(&mutex);
}

static long cond_timedwait_run(void)
{
    struct timespec end = long_end(CLOCK_REALTIME);
    pthread_mutex_lock(&mutex);
    while (!condition_holds && pthread_cond_timedwait(&condition, &mutex, &end) == 0) {
    }
    return pthread_mutex_unlock(&mutex);
}

static long mutex_run(void)
{
    pthread_mutex_lock(&taken);
    return pthread_mutex_unlock(&taken);
}

void *pausing_main(void *unused);

void *pausing_main(void *unused)
{
    pause();
    return unused;
}

static long join_run(void)
{
    return pthread_join(pausing, NULL);
}

static long barrier_run(void)
{
    int result = pthread_barrier_wait(&barrier);
    return result == PTHREAD_BARRIER_SERIAL_THREAD ? 0 : result;
}

static long futex_run(void)
{
    return syscall(SYS_futex, &futex_word, FUTEX_WAIT, 0, &long_time, NULL, 0);
}

/* -- for messages and semaphores of System V -- */

static int queue;
static int full_queue;
static int semaphores;

struct message {
    long type;
    char text[1024];
};

static long msgrcv_run(void)
{
    struct message message;
    return msgrcv(queue, &message, sizeof(message.text), 0, 0);
}

static long msgsnd_run(void)
{
    struct message message = {.type = 1};
    return msgsnd(full_queue, &message, sizeof(message.text), 0);
}

static long semop_run(void)
{
    struct sembuf take = {.sem_op = -1};
    return semop(semaphores, &take, 1);
}

static long semtimedop_run(void)
{
    struct sembuf take = {.sem_op = -1};
    return semtimedop(semaphores, &take, 1, &long_time);
}

/* -- on a descriptor -- */

/* One end of a pair of sockets with a long time limit, which makes a signal end its
 * calls. */
static int limited_socket(void)
{
    struct timeval limit = {.tv_sec = LONG};
    int pair[2];
    need(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0, "socketpair");
    setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    setsockopt(pair[0], SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
    return pair[0];
}

static long recv_run(void)
{
    char byte;
    return recv(limited_socket(), &byte, 1, 0);
}

static long recvfrom_run(void)
{
    char byte;
    return recvfrom(limited_socket(), &byte, 1, 0, NULL, NULL);
}

static long recvmsg_run(void)
{
    char byte;
    struct iovec part = {&byte, 1};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    return recvmsg(limited_socket(), &message, 0);
}

static long read_run(void)
{
    char byte;
    return read(limited_socket(), &byte, 1);
}

/* More than there is room for: a signal would end this with a part of the data. */
static char much[4 * 1024 * 1024];

static long send_run(void)
{
    return send(limited_socket(), much, sizeof(much), MSG_NOSIGNAL);
}

static long write_run(void)
{
    int ends[2];
    need(pipe2(ends, O_CLOEXEC) == 0, "pipe2");
    return write(ends[1], much, sizeof(much));
}

static long accept_run(void)
{
    struct timeval limit = {.tv_sec = LONG};
    struct sockaddr_in address = {.sin_family = AF_INET};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    need(fd >= 0 && bind(fd, (void *)&address, sizeof(address)) == 0, "bind");
    need(listen(fd, 1) == 0, "listen");
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    return accept(fd, NULL, NULL);
}

/* To a socket whose queue of connections is full. */
static long connect_run(void)
{
    struct timeval limit = {.tv_sec = LONG};
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    socklen_t length = sizeof(sa_family_t);
    int listening = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    /* The kernel chooses a name. */
    need(bind(listening, (void *)&address, length) == 0, "bind");
    need(listen(listening, 0) == 0, "listen");
    length = sizeof(address);
    getsockname(listening, (void *)&address, &length);
    int result = 0;
    for (int i = 0; i < 8 && result == 0; i++) {
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
        result = connect(fd, (void *)&address, length);
    }
    return result;
}

static char *locked_path; /* a file that main has locked */

static long flock_run(void)
{
    return flock(open(locked_path, O_RDWR | O_CLOEXEC), LOCK_EX);
}

static long setlkw_run(void)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1};
    return fcntl(open(locked_path, O_RDWR | O_CLOEXEC), F_OFD_SETLKW, &lock);
}

static pid_t child;

static long waitpid_run(void)
{
    return waitpid(child, NULL, 0);
}

/* -- all of them -- */

#define KINDS(KIND)                                                                    \
    KIND(nanosleep)                                                                    \
    KIND(clock_nanosleep)                                                              \
    KIND(usleep)                                                                       \
    KIND(sleep)                                                                        \
    KIND(poll)                                                                         \
    KIND(ppoll)                                                                        \
    KIND(select)                                                                       \
    KIND(pselect)                                                                      \
    KIND(epoll_wait)                                                                   \
    KIND(epoll_pwait)                                                                  \
    KIND(raw_poll)                                                                     \
    KIND(pause)                                                                        \
    KIND(sigsuspend)                                                                   \
    KIND(sigwait)                                                                      \
    KIND(sigwaitinfo)                                                                  \
    KIND(sigtimedwait)                                                                 \
    KIND(deaf_nanosleep)                                                               \
    KIND(sem_wait)                                                                     \
    KIND(sem_timedwait)                                                                \
    KIND(cond_wait)                                                                    \
    KIND(cond_timedwait)                                                               \
    KIND(mutex)                                                                        \
    KIND(join)                                                                         \
    KIND(barrier)                                                                      \
    KIND(futex)                                                                        \
    KIND(msgrcv)                                                                       \
    KIND(msgsnd)                                                                       \
    KIND(semop)                                                                        \
    KIND(semtimedop)                                                                   \
    KIND(recv)                                                                         \
    KIND(recvfrom)                                                                     \
    KIND(recvmsg)                                                                      \
    KIND(read)                                                                         \
    KIND(send)                                                                         \
    KIND(write)                                                                        \
    KIND(accept)                                                                       \
    KIND(connect)                                                                      \
    KIND(flock)                                                                        \
    KIND(setlkw)                                                                       \
    KIND(waitpid)

struct kind {
    const char *name;
    long (*run)(void);
    pthread_t thread;
    atomic_bool done;
};

#define KIND(name) {#name, name##_run, 0, false},
static struct kind kinds[] = {KINDS(KIND)};
#define COUNT (sizeof(kinds) / sizeof(kinds[0]))

static atomic_bool released; /* from now on waits may end */
static atomic_int early;

void *wait_main(void *argument);

/* Global, so that its address can be found from outside. */
void *wait_main(void *argument)
{
    struct kind *kind = argument;
    long result = kind->run();
    if (!atomic_load(&released)) {
        printf("early %s %ld %s\n", kind->name, result, strerror(errno));
        atomic_fetch_add(&early, 1);
    }
    atomic_store(&kind->done, true);
    return NULL;
}

static void on_signal(int number)
{
    (void)number;
}

static void everything_prepare(int locked)
{
    struct sigaction action = {.sa_handler = on_signal}; /* no SA_RESTART */
    sigaction(SIGUSR1, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
    sem_init(&semaphore, 0, 0);
    pthread_barrier_init(&barrier, NULL, 2);
    pthread_mutex_lock(&taken);
    need(pthread_create(&pausing, NULL, pausing_main, NULL) == 0, "pthread_create");
    queue = msgget(IPC_PRIVATE, 0600);
    full_queue = msgget(IPC_PRIVATE, 0600);
    semaphores = semget(IPC_PRIVATE, 1, 0600);
    need(queue >= 0 && full_queue >= 0 && semaphores >= 0, "System V");
    struct message message = {.type = 1};
    while (msgsnd(full_queue, &message, sizeof(message.text), IPC_NOWAIT) == 0) {
    }
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1};
    need(flock(locked, LOCK_EX) == 0, "flock");
    need(fcntl(locked, F_OFD_SETLK, &lock) == 0, "F_OFD_SETLK");
    child = fork();
    if (child == 0) {
        pause();
        _exit(0);
    }
}

/* Ends the waits that a signal does not end. */
static void everything_end(int locked)
{
    atomic_store(&released, true);
    pthread_mutex_lock(&mutex);
    condition_holds = true;
    pthread_cond_broadcast(&condition);
    pthread_mutex_unlock(&mutex);
    pthread_mutex_unlock(&taken);
    pthread_kill(pausing, SIGUSR1);
    pthread_barrier_wait(&barrier);
    close(locked);
    kill(child, SIGKILL);
    msgctl(queue, IPC_RMID, NULL);
    msgctl(full_queue, IPC_RMID, NULL);
    semctl(semaphores, 0, IPC_RMID);
    for (size_t i = 0; i < COUNT; i++) {
        while (!atomic_load(&kinds[i].done)) {
            pthread_kill(kinds[i].thread, SIGUSR1);
            usleep(1000);
        }
        pthread_join(kinds[i].thread, NULL);
    }
}

int main(void)
{
    char path[] = "/tmp/waits.XXXXXX";
    int locked = mkostemp(path, O_CLOEXEC);
    need(locked >= 0, "mkostemp");
    locked_path = path;
    everything_prepare(locked);
    for (size_t i = 0; i < COUNT; i++) {
        struct kind *kind = &kinds[i];
        need(pthread_create(&kind->thread, NULL, wait_main, kind) == 0, "thread");
        pthread_setname_np(kind->thread, kind->name);
    }
    printf("waiting\n");
    fflush(stdout);
    char byte;
    while (read(STDIN_FILENO, &byte, 1) > 0) {
    }
    everything_end(locked);
    unlink(path);
    printf("waits %zu early %d\n", COUNT, atomic_load(&early));
    return atomic_load(&early) == 0 ? 0 : 1;
}
