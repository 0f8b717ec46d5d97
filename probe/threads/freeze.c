#include "probe/threads/freeze.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "probe/recorder/own_memory.h"
#include "probe/threads/task_directory.h"
#include "probe/threads/thread_details.h"
#include "probe/threads/thread_slots.h"
#include "probe/threads/threads.h"

/* How long to wait before a thread that was busy is asked again. */
#define AGAIN_NS 50000

/* A thread may be silent because it waits for one that is stopped: at its end the C
 * library blocks all signals and takes a lock, which a thread may hold that begins
 * another one. So after this time all go on for a moment, and are then stopped again;
 * each time there is twice as much patience, as the machine may just be busy. */
#define PATIENCE_NS (25 * CLOCK_NS_PER_MS)
#define MOMENT_US 5000

/* How a thread is stopped. */
enum stop {
    STOP_SIGNALLED, /* the signal was sent */
    STOP_PARKED,    /* it stays in the handler */
    STOP_HELD,      /* it stays in its wait */
    STOP_COPIED,    /* it waits, and nothing keeps it there */
    STOP_ENDED,     /* it has ended */
};

struct stopped {
    enum stop stop;
    struct thread_hold hold; /* STOP_HELD and STOP_COPIED */
};

static struct parked_thread *threads; /* THREADS_MAX, and the caller */
static struct stopped *stops;         /* of the same threads */

struct freeze {
    const struct thread_source *source;
    int task_fd;
    pid_t own_tid;
    uint32_t round;
    size_t count;
    unsigned signalled; /* that have not ended */
    size_t next;        /* where the list is expected to go on */
    int64_t began;
    int64_t patience_end; /* then all go on for a moment */
    int64_t deadline;
};

/* Takes the two arrays, once. They cost no memory before they are used. */
static int arrays_take(void)
{
    if (threads == NULL) {
        threads = probe_own_memory_take((THREADS_MAX + 1) * sizeof(*threads));
    }
    if (stops == NULL) {
        stops = probe_own_memory_take((THREADS_MAX + 1) * sizeof(*stops));
    }
    return threads == NULL || stops == NULL ? -ENOMEM : 0;
}

/* Whether the thread has been stopped before. The kernel lists threads in the order of
 * their creation, so it is usually the next one. */
static bool is_known(struct freeze *freeze, pid_t tid)
{
    for (size_t i = 0; i < freeze->count; i++) {
        size_t at = (freeze->next + i) % freeze->count;
        if (threads[at].tid == tid) {
            freeze->next = at + 1;
            return true;
        }
    }
    return false;
}

/* Notes a thread that the source holds, or of which it has a copy. */
static void note_hold(const struct thread_hold *hold, struct parked_thread *thread,
                      struct stopped *stopped)
{
    stopped->stop = hold->copy ? STOP_COPIED : STOP_HELD;
    stopped->hold = *hold;
    thread->pointer = hold->pointer;
    thread->exact = !hold->copy;
    thread->shown = !hold->copy;
    thread->sp = hold->copy ? hold->sp : hold->registers.rsp;
    thread->registers = hold->registers;
    thread->leaf = hold->leaf;
}

/* Sends the signal to thread number `at`. */
static int thread_signal(struct freeze *freeze, size_t at)
{
    int error;
    while ((error = probe_thread_slot_park(at, threads[at].tid)) == -EAGAIN &&
           clock_now_ns() < freeze->patience_end) {
        usleep(100); /* the kernel's queue of signals is full */
    }
    return error;
}

/* Notes that a thread has ended that got the signal, or was about to. */
static void note_ended(const struct freeze *freeze, size_t at)
{
    stops[at].stop = STOP_ENDED;
    probe_thread_slot_close(at);
    if (freeze->source != NULL) {
        freeze->source->given_up(threads[at].tid, freeze->round);
    }
}

/* Begins to stop a thread that is new in the list. */
static int thread_stop(struct freeze *freeze, pid_t tid)
{
    struct thread_hold hold = {0};
    if (freeze->count == THREADS_MAX) {
        return -E2BIG;
    }
    size_t at = freeze->count;
    if (!probe_thread_slot_free(at)) {
        return -EBUSY;
    }
    threads[at] = (struct parked_thread){.tid = tid};
    stops[at] = (struct stopped){.stop = STOP_SIGNALLED};
    freeze->count++;
    enum thread_found found = freeze->source == NULL
                                  ? THREAD_TO_BE_ASKED
                                  : freeze->source->hold(tid, freeze->round, &hold);
    if (found == THREAD_HELD) {
        note_hold(&hold, &threads[at], &stops[at]);
        return 0;
    }
    if (found == THREAD_LEFT_ALONE) {
        stops[at].stop = STOP_COPIED;
        return 0;
    }
    int error = thread_signal(freeze, at);
    if (error == -ESRCH) {
        note_ended(freeze, at);
        return 0;
    }
    freeze->signalled += error == 0;
    return error;
}

/* Lists the threads and stops those that are new; ret_found says whether there was one.
 */
static int list_stop(struct freeze *freeze, bool *ret_found)
{
    char block[16 * 1024] __attribute__((aligned(8)));
    *ret_found = false;
    freeze->next = 0;
    if (lseek(freeze->task_fd, 0, SEEK_SET) < 0) {
        return -errno;
    }
    for (;;) {
        ssize_t bytes = getdents64(freeze->task_fd, block, sizeof(block));
        if (bytes <= 0) {
            return bytes < 0 ? -errno : 0;
        }
        for (ssize_t at = 0; at < bytes;) {
            const struct dirent64 *item = (void *)(block + at);
            at += item->d_reclen;
            pid_t tid = (pid_t)strtol(item->d_name, NULL, 10);
            if (tid <= 0 || tid == freeze->own_tid || is_known(freeze, tid)) {
                continue;
            }
            *ret_found = true;
            int error = thread_stop(freeze, tid);
            if (error != 0) {
                return error;
            }
        }
    }
}

static bool is_silent(size_t at)
{
    return stops[at].stop == STOP_SIGNALLED && probe_thread_slot_parked(at) == NULL;
}

/* Looks at the threads that have not answered: asks the busy ones again, and does not
 * wait for those that have ended. */
static void silent_look(struct freeze *freeze)
{
    for (size_t i = 0; i < freeze->count; i++) {
        if (!is_silent(i)) {
            continue;
        }
        bool busy = probe_thread_slot_busy(i);
        if ((busy && thread_signal(freeze, i) == -ESRCH) ||
            (!busy && probe_thread_ended(freeze->task_fd, threads[i].tid))) {
            note_ended(freeze, i);
            freeze->signalled--;
        }
    }
}

/* Waits until every thread that got the signal stays. Returns 0 or -EBUSY. */
static int wait_parked(struct freeze *freeze)
{
    while (!probe_thread_slots_wait(freeze->signalled, clock_now_ns() + AGAIN_NS)) {
        if (clock_now_ns() >= freeze->patience_end) {
            return -EBUSY;
        }
        silent_look(freeze);
    }
    for (size_t i = 0; i < freeze->count; i++) {
        const struct parked_thread *parked = probe_thread_slot_parked(i);
        if (stops[i].stop == STOP_SIGNALLED && parked != NULL) {
            pid_t tid = threads[i].tid;
            threads[i] = *parked;
            threads[i].tid = tid;
            stops[i].stop = STOP_PARKED;
        }
    }
    return 0;
}

/* Stops all. Returns 0 or -errno. */
static int all_stop(struct freeze *freeze)
{
    bool found;
    do {
        int error = list_stop(freeze, &found);
        if (error == 0) {
            error = wait_parked(freeze);
        }
        if (error != 0) {
            return error;
        }
    } while (found && clock_now_ns() < freeze->patience_end);
    return found ? -EBUSY : 0;
}

static void all_go(struct freeze *freeze)
{
    for (size_t i = 0; i < freeze->count; i++) {
        if (stops[i].stop == STOP_SIGNALLED) {
            probe_thread_slot_close(i);
            if (freeze->source != NULL) {
                freeze->source->given_up(threads[i].tid, freeze->round);
            }
        }
    }
    probe_thread_park_release(freeze->round);
    for (size_t i = 0; i < freeze->count; i++) {
        if (stops[i].stop == STOP_HELD) {
            freeze->source->release(threads[i].tid, &stops[i].hold);
        }
    }
    if (freeze->source != NULL) {
        freeze->source->end(freeze->round);
    }
}

static pid_t stubborn_find(const struct freeze *freeze)
{
    for (size_t i = 0; i < freeze->count; i++) {
        if (is_silent(i)) {
            return threads[i].tid;
        }
    }
    return 0;
}

/* Leaves out the threads that have ended. */
static size_t ended_drop(size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (stops[i].stop != STOP_ENDED) {
            threads[kept] = threads[i];
            stops[kept++] = stops[i];
        }
    }
    return kept;
}

/* Adds the calling thread, which goes on: its stack is in use from here on. */
#ifdef __x86_64__
static inline __attribute__((always_inline)) void caller_add(struct freeze *freeze)
{
    struct parked_thread *thread = &threads[freeze->count];
    *thread = (struct parked_thread){
        .tid = freeze->own_tid,
        .exact = true,
        .shown = true,
        .pointer = (uintptr_t)__builtin_thread_pointer(),
    };
    struct stack_registers *registers = &thread->registers;
    __asm__ volatile("leaq 0(%%rip), %%rax\n\t"
                     "movq %%rax, 0(%0)\n\t"
                     "movq %%rsp, 8(%0)\n\t"
                     "movq %%rbp, 16(%0)\n\t"
                     "movq %%rbx, 24(%0)\n\t"
                     "movq %%r12, 32(%0)\n\t"
                     "movq %%r13, 40(%0)\n\t"
                     "movq %%r14, 48(%0)\n\t"
                     "movq %%r15, 56(%0)"
                     :
                     : "r"(registers)
                     : "rax", "memory");
    thread->sp = registers->rsp;
    stops[freeze->count++] = (struct stopped){.stop = STOP_ENDED};
}
#else
static void caller_add(struct freeze *freeze)
{
    threads[freeze->count] = (struct parked_thread){.tid = freeze->own_tid};
    stops[freeze->count++] = (struct stopped){.stop = STOP_ENDED};
}
#endif

/* Stops the threads once, and calls `act` if that was possible. Returns as
 * probe_threads_freeze. */
static int freeze_once(struct freeze *freeze,
                       void (*act)(const struct frozen *frozen, void *argument),
                       void *argument, int64_t *ret_stopped_ns, pid_t *ret_stubborn)
{
    freeze->count = 0;
    freeze->signalled = 0;
    freeze->round = probe_thread_slots_begin();
    int error = all_stop(freeze);
    if (error == 0) {
        freeze->count = ended_drop(freeze->count);
        caller_add(freeze);
        act(&(struct frozen){threads, freeze->count}, argument);
    } else {
        *ret_stubborn = stubborn_find(freeze);
    }
    int64_t stopped = clock_now_ns() - freeze->began;
    all_go(freeze);
    *ret_stopped_ns = clock_now_ns() - freeze->began;
    return error == 0 && stopped > THREADS_PARK_MS * CLOCK_NS_PER_MS ? -EAGAIN : error;
}

int probe_threads_freeze(void (*act)(const struct frozen *frozen, void *argument),
                         void *argument, int64_t *ret_stopped_ns, pid_t *ret_stubborn)
{
    struct freeze freeze = {.own_tid = gettid()};
    int error = arrays_take();
    *ret_stopped_ns = 0;
    *ret_stubborn = 0;
    if (error != 0) {
        return error;
    }
    freeze.task_fd = probe_threads_round_begin(&freeze.source);
    if (freeze.task_fd < 0) {
        return freeze.task_fd;
    }
    freeze.deadline = clock_now_ns() + FREEZE_LIMIT_MS * CLOCK_NS_PER_MS;
    for (int64_t patience = PATIENCE_NS;; patience *= 2) {
        freeze.began = clock_now_ns();
        freeze.patience_end = freeze.began + patience;
        error = freeze_once(&freeze, act, argument, ret_stopped_ns, ret_stubborn);
        if (error != -EBUSY || clock_now_ns() >= freeze.deadline) {
            break;
        }
        usleep(MOMENT_US);
    }
    probe_threads_round_end();
    return error;
}
