/*
 * What the parts of resource_storm.c share: the ways to make something, each a function
 * of its own; how much each has made that is alive; and the things of one thread.
 */
#ifndef TESTS_PROGRAMS_RESOURCES_STORM_H
#define TESTS_PROGRAMS_RESOURCES_STORM_H

#include <dirent.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>

/* X(profile, function): that profile must say that this function has made it. */
#define WAYS(X)                                                                        \
    X(fds, fd_open)                                                                    \
    X(fds, fd_open64)                                                                  \
    X(fds, fd_openat)                                                                  \
    X(fds, fd_checked_open)                                                            \
    X(fds, fd_creat)                                                                   \
    X(fds, fd_fopen)                                                                   \
    X(fds, fd_fopen64)                                                                 \
    X(fds, fd_freopen)                                                                 \
    X(fds, fd_tmpfile)                                                                 \
    X(fds, fd_mkstemp)                                                                 \
    X(fds, fd_mkostemp)                                                                \
    X(fds, fd_opendir)                                                                 \
    X(fds, fd_popen)                                                                   \
    X(fds, fd_dup)                                                                     \
    X(fds, fd_fcntl)                                                                   \
    X(fds, fd_socket)                                                                  \
    X(fds, fd_socketpair)                                                              \
    X(fds, fd_accept)                                                                  \
    X(fds, fd_accept4)                                                                 \
    X(fds, fd_recvmsg)                                                                 \
    X(fds, fd_pipe)                                                                    \
    X(fds, fd_pipe2)                                                                   \
    X(fds, fd_eventfd)                                                                 \
    X(fds, fd_epoll)                                                                   \
    X(fds, fd_timerfd)                                                                 \
    X(fds, fd_signalfd)                                                                \
    X(fds, fd_inotify)                                                                 \
    X(fds, fd_memfd)                                                                   \
    X(fds, fd_pidfd)                                                                   \
    X(fds, fd_terminal)                                                                \
    X(fds, fd_shm_open)                                                                \
    X(fds, fd_mq_open)                                                                 \
    X(fds, fd_dup2)                                                                    \
    X(fds, fd_dup2_over)                                                               \
    X(fds, fd_dup3)                                                                    \
    X(fds, fd_fcntl_from)                                                              \
    X(fds, on_hail)                                                                    \
    X(fds, storm_begin)                                                                \
    X(threadcreate, thread_joined)                                                     \
    X(threadcreate, thread_ended)                                                      \
    X(threadcreate, thread_cancelled)                                                  \
    X(threadcreate, thread_c11)                                                        \
    X(threadcreate, thread_made_detached)                                              \
    X(threadcreate, thread_detached_later)                                             \
    X(threadcreate, workers_start)                                                     \
    X(timers, timer_none)                                                              \
    X(timers, timer_signal)                                                            \
    X(timers, timer_to_thread)                                                         \
    X(timers, timer_thread)                                                            \
    X(mmaps, map_private)                                                              \
    X(mmaps, map_shared)                                                               \
    X(mmaps, map_file)                                                                 \
    X(mmaps, map_file64)                                                               \
    X(mmaps, map_moved)                                                                \
    X(mmaps, map_hole)                                                                 \
    X(mmaps, map_protected)                                                            \
    X(children, child_fork)                                                            \
    X(children, child_ended)                                                           \
    X(children, child_bare_fork)                                                       \
    X(children, child_vfork)                                                           \
    X(children, child_spawn)                                                           \
    X(children, child_spawnp)                                                          \
    X(children, fd_popen)

#define WAY(profile, function) profile##_##function,
enum way { WAYS(WAY) WAY_COUNT, NOTHING };
#undef WAY

/* A function that makes something is on the stack under its own name. */
#define MAKER static __attribute__((noipa)) void

enum { ORDINARY = 14, PRIVATE = 6, CHILDREN = 3, THREADS = 3, TIMERS = 4, MAPS = 12 };

struct storm;

/* A descriptor. */
struct fd_slot {
    enum way way; /* NOTHING: the slot is free */
    int fd;
    FILE *stream; /* NULL, or what it belongs to */
    DIR *directory;
    dev_t device; /* the file that it is open on */
    ino_t inode;
};

/* Fills a slot, or two: `one` and the next one. A descriptor of -1 says that the
 * machine has no more of these. */
struct fd_maker {
    enum way way;
    void (*make)(struct storm *storm, struct fd_slot *one);
    int slots;
};
extern const struct fd_maker fd_makers[];
extern const unsigned fd_maker_count;

struct child_slot {
    enum way way;
    pid_t pid;
    bool stays; /* until it is killed */
};

struct thread_ticket;
struct thread_slot {
    enum way way;
    pthread_t thread;
    struct thread_ticket *ticket;
};

struct timer_slot {
    enum way way;
    timer_t timer;
};

struct map_slot {
    enum way way;
    unsigned char *memory;
    size_t bytes; /* from its start to its end */
};

/* A thread of the storm, and what it has. */
struct storm {
    unsigned number;
    uint64_t chance;
    unsigned long steps;
    pthread_t thread;
    pid_t thread_id;
    int source;      /* a file */
    int ends[2];     /* a pair of sockets, for descriptors in messages */
    int listener;    /* a socket that listens */
    char path[64];   /* where new files go */
    int first;       /* of the numbers that this thread alone uses */
    unsigned popens; /* children that are not to be waited for */
    struct fd_slot ordinary[ORDINARY];
    struct fd_slot private[PRIVATE]; /* each at its own number */
    struct child_slot children[CHILDREN];
    struct thread_slot threads[THREADS];
    struct timer_slot timers[TIMERS];
    struct map_slot maps[MAPS];
};

/* Counts what a way has made, or (negative) what is about to be ended: so many things,
 * and so much of the profile's second value. */
void alive_add(enum way way, int things, long second);

#define UNKEPT 4711 /* errno before a call that succeeds, and after it */

/* Ends the program if this is not so. */
#define MUST(condition) must((condition), #condition, __FILE__, __LINE__)
void must(bool condition, const char *text, const char *file, int line);

/* A random number below `bound`. */
unsigned choose(struct storm *storm, unsigned bound);

/* One step each: makes something where the slot that chance takes is free, else ends
 * what is there. */
void fd_step(struct storm *storm);
void child_step(struct storm *storm);
void thread_step(struct storm *storm);
void timer_step(struct storm *storm);
void map_step(struct storm *storm);

/* Calls that fail, and must leave everything as it is. */
void fd_fail(struct storm *storm);
void map_fail(struct storm *storm);

/* Ends everything that the thread has. */
void fd_drain(struct storm *storm);
void child_drain(struct storm *storm);
void thread_drain(struct storm *storm);
void timer_drain(struct storm *storm);
void map_drain(struct storm *storm);

/* Waits until all children that end by themselves have ended. */
void child_settle(struct storm *storm);

/* One of the thread's slots, by chance. */
#define SLOT_OF(storm, slots, count) (&(storm)->slots[choose((storm), (count))])

#endif
