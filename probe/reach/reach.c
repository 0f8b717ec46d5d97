#include "probe/reach/reach.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "probe/process/allocator.h"
#include "probe/process/descriptors.h"
#include "probe/reach/copy_work.h"
#include "probe/reach/exit_caller.h"
#include "probe/reach/kernel_words.h"
#include "probe/recorder/inside.h"
#include "probe/recorder/live_blocks.h"
#include "probe/recorder/recorder.h"
#include "probe/threads/freeze.h"

/* The copy goes on with the stack of the thread that made it. It needs no more than
 * this of it: what it looks at stands there, too. */
#define COPY_STACK_BYTES ((uintptr_t)64 * 1024)

#define LOOK_MS 2 /* how often to look whether the copy has got on */

static atomic_flag asking = ATOMIC_FLAG_INIT;

/* Its number; 0: there is none. */
static _Atomic pid_t copy_process;
#define COPY_TO_COME ((pid_t)-1)

/* What the question under way shares with its copy, or the last one. */
static struct shared_copy *_Atomic shared;

struct asking {
    struct shared_copy *copy;
    struct process_parts parts;
    struct parked_thread caller; /* as it was when it called exit; `sp` 0: it did not */
    bool exits;                  /* the caller is a thread of the program */
    uintptr_t main_stack_end;
    bool glibc;
    pid_t child; /* the copy's number; 0: none */
    int error;
};

static void shared_give(struct shared_copy *copy)
{
    if (copy != NULL) {
        struct shared_copy *given = copy;
        atomic_compare_exchange_strong(&shared, &given, NULL);
        probe_shared_copy_give(copy);
    }
}

/* Reads /proc/self/maps into the copy's memory. Returns 0 or -errno. */
static int maps_read(struct shared_copy *copy)
{
    int fd = probe_proc_open("thread-self/maps", O_RDONLY);
    if (fd < 0) {
        return fd;
    }
    size_t bytes = 0;
    ssize_t got;
    while ((got = read(fd, copy->maps + bytes, COPY_MAPS_BYTES - 1 - bytes)) > 0) {
        bytes += (size_t)got;
    }
    int error = got < 0 ? -errno : 0;
    close(fd);
    copy->maps[bytes] = '\0';
    return bytes == COPY_MAPS_BYTES - 1 ? -E2BIG : error;
}

/* A process that shares nothing with this one. No signal tells of its end, a wait for
 * any child does not find it, and a debugger does not follow it. The C library's fork
 * would take locks, and run the program's handlers. */
static pid_t copy_make(void)
{
    return (pid_t)syscall(SYS_clone, (unsigned long)CLONE_UNTRACED, 0UL, 0UL, 0UL, 0UL);
}

static bool is_among(const struct frozen *frozen, pid_t tid)
{
    for (size_t i = 0; i < frozen->count; i++) {
        if (frozen->threads[i].tid == tid) {
            return true;
        }
    }
    return false;
}

/* Runs while all other threads are stopped. */
static void on_frozen(const struct frozen *frozen, void *argument)
{
    struct asking *ask = argument;
    pid_t parent = getpid();
    pid_t caller = gettid();
    ask->error = maps_read(ask->copy);
    if (ask->error == 0) {
        ask->error = probe_kernel_words_read(ask->copy);
    }
    if (ask->error != 0) {
        return;
    }
    struct parked_thread *last = &frozen->threads[frozen->count - 1];
    struct range here = {last->sp - COPY_STACK_BYTES, last->sp};
    if (ask->caller.sp != 0) {
        here.end = ask->caller.sp > last->sp ? ask->caller.sp : last->sp;
        last->sp = ask->caller.sp;
        last->registers = ask->caller.registers;
    }
    atomic_store(&copy_process, COPY_TO_COME);
    pid_t child = copy_make();
    if (child == 0) {
        struct regions_input input = {
            .maps = ask->copy->maps,
            .parts = &ask->parts,
            .threads = frozen->threads,
            .threads_count = frozen->count,
            .glibc = ask->glibc,
            .own_pointer = (uintptr_t)__builtin_thread_pointer(),
            .main_asks = parent == caller,
            .main_frames = is_among(frozen, parent) ? 0 : ask->main_stack_end,
            .agent_asks = !ask->exits && parent != caller,
            .here = here,
        };
        probe_copy_work(ask->copy, &input, parent);
    }
    ask->child = child < 0 ? 0 : child;
    atomic_store(&copy_process, ask->child);
    if (child < 0) {
        ask->error = errno == EAGAIN ? -EUSERS : -errno;
    }
}

/* Whether the copy has ended; it is then waited for. */
static bool child_ended(struct asking *ask)
{
    if (ask->child != 0 && waitpid(ask->child, NULL, __WCLONE | WNOHANG) == 0) {
        return false;
    }
    ask->child = 0;
    return true;
}

static void child_end(struct asking *ask)
{
    if (ask->child != 0) {
        kill(ask->child, SIGKILL);
        while (waitpid(ask->child, NULL, __WCLONE) < 0 && errno == EINTR) {
        }
        ask->child = 0;
    }
}

/* Waits until the copy is in the state, or in a later one. */
static int state_await(const struct reach_question *question, struct asking *ask,
                       enum copy_state wanted)
{
    int64_t end = clock_now_ns() + REACH_LIMIT_MS * CLOCK_NS_PER_MS;
    for (;;) {
        unsigned state = atomic_load(&ask->copy->state);
        if (state == COPY_FAILED) {
            return ask->copy->error;
        }
        if (state >= (unsigned)wanted) {
            return 0;
        }
        bool ended = child_ended(ask);
        if (ended && atomic_load(&ask->copy->state) == state) {
            return -ECHILD;
        }
        if (clock_now_ns() > end) {
            return -ETIMEDOUT;
        }
        int error = question->sleep(question->owner, LOOK_MS);
        if (error != 0) {
            return error;
        }
    }
}

/* The copy is made; leads it to the end. */
static int copy_lead(const struct reach_question *question, struct asking *ask)
{
    struct shared_copy *copy = ask->copy;
    int error = state_await(question, ask, COPY_ROOTS);
    if (error == 0) {
        error = question->name_roots(copy, &ask->parts, question->argument);
    }
    if (error == 0) {
        atomic_store(&copy->state, COPY_NAMED);
        syscall(SYS_futex, &copy->state, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
        error = state_await(question, ask, COPY_DONE);
    }
    return error;
}

/* Every signal is blocked for the calling thread, so that none is handled in the copy.
 */
static int frozen_copy(struct asking *ask, int64_t *ret_stopped_ns, pid_t *ret_stubborn)
{
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = probe_threads_freeze(on_frozen, ask, ret_stopped_ns, ret_stubborn);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error == -EBUSY) {
        error = -EDEADLK;
    }
    return error == 0 ? ask->error : error;
}

static int ask_prepared(const struct reach_question *question, struct asking *ask,
                        struct reach *reach, pid_t *ret_stubborn)
{
    int error = probe_process_parts_read(&ask->parts);
    if (error == 0) {
        error = probe_kernel_words_prepare();
    }
    if (error == 0) {
        ask->glibc = probe_allocator_is_glibc();
        ask->main_stack_end = probe_main_stack_end();
        ask->exits = question->exits;
        if (question->exits) {
            probe_exit_caller_find(&ask->parts, &ask->caller);
        }
        error = frozen_copy(ask, &reach->stopped_ns, ret_stubborn);
    }
    if (error == 0) {
        error = copy_lead(question, ask);
    }
    child_end(ask);
    atomic_store(&copy_process, 0);
    return error == -ENOSYS ? -ENOTSUP : error;
}

int probe_reach_ask(const struct reach_question *question, struct reach *ret_reach,
                    pid_t *ret_stubborn)
{
    *ret_stubborn = 0;
    if (probe_recorder_mode() != RECORDER_EXACT) {
        return -ENOTSUP;
    }
    if (atomic_flag_test_and_set(&asking)) {
        return -EBUSY;
    }
    probe_inside++;
    uint64_t blocks;
    uint64_t bytes;
    probe_live_sums(&blocks, &bytes);
    struct asking ask = {.copy = probe_shared_copy_take(blocks + blocks / 2 + 65536)};
    atomic_store(&shared, ask.copy);
    struct reach reach = {.copy = ask.copy, .began_ns = clock_now_ns()};
    int error = -ENOMEM;
    if (ask.copy != NULL) {
        error = ask_prepared(question, &ask, &reach, ret_stubborn);
    }
    if (error == 0) {
        reach.parts = ask.parts;
        *ret_reach = reach;
    } else if (ask.copy != NULL) {
        shared_give(ask.copy);
    }
    probe_inside--;
    atomic_flag_clear(&asking);
    return error;
}

void probe_reach_release(struct reach *reach)
{
    shared_give(reach->copy);
    reach->copy = NULL;
}

bool probe_reach_is_copy(pid_t child)
{
    pid_t copy = atomic_load(&copy_process);
    return copy == child || copy == COPY_TO_COME;
}

void probe_reach_fork_child(void)
{
    atomic_store(&copy_process, 0);
    shared_give(
        atomic_load(&shared)); /* the child has it, too, and has no use for it */
    atomic_flag_clear(&asking);
}
