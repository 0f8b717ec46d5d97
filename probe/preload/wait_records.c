/*
 * Records are in lists, one for each remainder of the thread's number, and never leave
 * them: so a list can be read without a lock. A free record has thread number 0.
 *
 * A thread finds its own record by a thread-local pointer. The agent makes one for a
 * thread that it asks and that has none yet: the thread then finds it when it begins
 * its first wait.
 */
#include "probe/preload/wait_records.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "probe/preload/raw_futex.h"
#include "probe/process/memory_read.h"
#include "probe/recorder/inside.h"
#include "probe/resources/resources_mark.h"

#define WAITING 1U
#define READING 2U
#define ASKED 4U
#define ROUND_SHIFT                                                                    \
    3 /* the asker's round is above, so that a late answer is not taken                \
         for that of the next round */

#define LISTS 1024
#define BLOCK_BYTES ((size_t)64 * 1024)

/* How long a thread that is asked puts off its wait. Longer than a round lasts. */
#define PATIENCE_NS (3 * CLOCK_NS_PER_SECOND)

struct wait_record {
    atomic_uint state;
    atomic_int tid; /* 0: free */
    _Atomic(struct wait_frame *) frame;
    atomic_uint_least64_t number; /* waits that the thread has begun */
    struct wait_record *next;
    atomic_uintptr_t pointer; /* the thread's pthread_self(); 0: not known */
    uint32_t round;           /* when the agent saw it last */
} __attribute__((aligned(64)));

static _Atomic(struct wait_record *) lists[LISTS];

/* The lock is for adding and taking records. A thread that has it blocks all signals.
 */
static atomic_uint lists_lock;
static char *block;
static size_t block_left;

static pthread_key_t end_key;
static bool started;
static pid_t process;

static _Thread_local struct wait_record *own __attribute__((tls_model("initial-exec")));

static void lists_take(sigset_t *ret_before)
{
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, ret_before);
    while (atomic_exchange(&lists_lock, 1) != 0) {
        raw_futex_wait(&lists_lock, 1, 1);
    }
}

static void lists_give(const sigset_t *before)
{
    atomic_store(&lists_lock, 0);
    pthread_sigmask(SIG_SETMASK, before, NULL);
}

static struct wait_record *record_find(pid_t tid)
{
    struct wait_record *record = atomic_load(&lists[(unsigned)tid % LISTS]);
    while (record != NULL && atomic_load(&record->tid) != tid) {
        record = record->next;
    }
    return record;
}

/* A new record from our own memory; NULL if there is none. */
static struct wait_record *record_allocate(void)
{
    if (block_left < sizeof(struct wait_record)) {
        void *memory = mmap(NULL, BLOCK_BYTES, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED) {
            return NULL;
        }
        block = memory;
        block_left = BLOCK_BYTES;
    }
    struct wait_record *record = (void *)block;
    block += sizeof(*record);
    block_left -= sizeof(*record);
    return record;
}

/* The record of a thread, a free one or a new one; NULL if memory is short. */
static struct wait_record *record_take(pid_t tid)
{
    sigset_t before;
    lists_take(&before);
    struct wait_record *record = record_find(tid);
    if (record == NULL) {
        _Atomic(struct wait_record *) *list = &lists[(unsigned)tid % LISTS];
        struct wait_record *first = atomic_load(list);
        record = first;
        while (record != NULL && atomic_load(&record->tid) != 0) {
            record = record->next;
        }
        if (record != NULL) {
            atomic_store(&record->frame, NULL);
            atomic_store(&record->state, 0);
            atomic_store(&record->pointer, 0);
            atomic_store(&record->tid, tid);
        } else if ((record = record_allocate()) != NULL) {
            atomic_store(&record->tid, tid);
            record->next = first;
            atomic_store(list, record);
        }
    }
    lists_give(&before);
    return record;
}

/* WAITING -> 0. Waits while the agent reads. */
static void unpublish(struct wait_record *record)
{
    unsigned state = WAITING;
    while (!atomic_compare_exchange_strong(&record->state, &state, 0)) {
        if ((state & WAITING) == 0) {
            return;
        }
        raw_futex_wait(&record->state, state, 1000);
        state = WAITING;
    }
}

/* 0 -> WAITING. While the thread is asked, waits for the signal. */
static void publish(struct wait_record *record)
{
    unsigned state = 0;
    if (atomic_compare_exchange_strong(&record->state, &state, WAITING)) {
        return;
    }
    int64_t end = clock_now_ns() + PATIENCE_NS;
    do {
        if ((state & WAITING) != 0) {
            return; /* a handler that ran meanwhile has done it */
        }
        raw_futex_wait(&record->state, state, 1000);
        state = 0;
    } while (!atomic_compare_exchange_strong(&record->state, &state, WAITING) &&
             clock_now_ns() < end);
}

/* Whether this is a child in which nothing is to be noted. A thread that has made one
 * of them may have to ask for good (child_calls.c). */
static bool is_apart(void)
{
    return probe_is_unmarked() ||
           (probe_in_vfork != 0 && (pid_t)syscall(SYS_getpid) != process);
}

static struct wait_record *own_make(void)
{
    /* In a child of _Fork or clone the lock of the lists may be held for ever. The mark
     * of such a child is missing where resources are not noted. */
    bool wanted = started && (pid_t)syscall(SYS_getpid) == process;
    struct wait_record *record = wanted ? record_take(gettid()) : NULL;
    if (record != NULL) {
        /* What an ended thread with the same number has left does not hold any more. */
        atomic_store(&record->frame, NULL);
        unpublish(record);
        own = record;
        atomic_store(&record->pointer, (uintptr_t)pthread_self());
        probe_inside++; /* it may call malloc */
        pthread_setspecific(end_key, record);
        probe_inside--;
    }
    return record;
}

/* Runs when the thread ends. */
static void own_end(void *argument)
{
    struct wait_record *record = argument;
    own = NULL;
    atomic_store(&record->frame, NULL);
    unpublish(record);
    atomic_store(&record->tid, 0);
}

int probe_wait_records_start(void)
{
#ifdef __x86_64__
    int error = -pthread_key_create(&end_key, own_end);
    process = getpid();
    started = error == 0;
    return error;
#else
    (void)own_end;
    return -ENOSYS;
#endif
}

/* Gives the wait the next number. */
static void frame_number(struct wait_record *record, struct wait_frame *frame)
{
    frame->number = atomic_load_explicit(&record->number, memory_order_relaxed) + 1;
    atomic_store_explicit(&record->number, frame->number, memory_order_relaxed);
}

void probe_wait_enter(struct wait_frame *frame)
{
    struct wait_record *record = NULL;
    /* There a record may be read for ever; or it is the parent's, in which a wait that
     * ends with the child would stay. */
    if (!is_apart()) {
        record = own != NULL ? own : own_make();
    }
    frame->record = record;
    if (record == NULL) {
        return;
    }
    struct wait_frame *outer =
        atomic_load_explicit(&record->frame, memory_order_relaxed);
    if (outer != NULL) {
        unpublish(record);
        /* The stack grows down: an outer wait has a higher address. Otherwise it was
         * left in a way that we did not see; or the handler has a stack of its own, and
         * then nothing but a record is lost. */
        outer = outer > frame ? outer : NULL;
    }
    frame->outer = outer;
    frame_number(record, frame);
    atomic_store_explicit(&record->frame, frame, memory_order_relaxed);
    publish(record);
}

void probe_wait_leave(struct wait_frame *frame)
{
    struct wait_record *record = frame->record;
    if (record == NULL || is_apart() ||
        atomic_load_explicit(&record->frame, memory_order_relaxed) != frame) {
        return; /* abandoned */
    }
    /* In this order: a handler that runs in between then does not find this wait. */
    atomic_store_explicit(&record->frame, frame->outer, memory_order_relaxed);
    unpublish(record);
    if (frame->outer != NULL) {
        frame_number(record, frame->outer);
        publish(record);
    }
}

bool probe_wait_inside(void)
{
    return own != NULL && atomic_load(&own->frame) != NULL;
}

void probe_wait_abandon(void)
{
    if (own != NULL && atomic_load(&own->frame) != NULL && !is_apart()) {
        atomic_store(&own->frame, NULL);
        unpublish(own);
    }
}

/* Copies the frame of a wait. It may be gone, with the memory that it was in. Returns
 * false if it is not this wait's. */
static bool frame_copy(const struct wait_record *record, struct wait_frame *ret_frame)
{
    struct wait_frame *at = atomic_load(&record->frame);
    return at != NULL &&
           probe_memory_read((uintptr_t)at, ret_frame, sizeof(*ret_frame)) == 0 &&
           ret_frame->record == record && ret_frame->number <= record->number;
}

uint64_t probe_wait_now(pid_t tid)
{
    struct wait_record *record = record_find(tid);
    if (record == NULL) {
        return 0;
    }
    uint64_t number = atomic_load(&record->number);
    bool waits = (atomic_load(&record->state) & WAITING) != 0;
    return waits && atomic_load(&record->number) == number ? number : 0;
}

/* `state` -> ASKED. Returns false if the state was another one. */
static bool record_ask(struct wait_record *record, unsigned state, pid_t tid,
                       uint32_t round)
{
    unsigned asked = ASKED | round << ROUND_SHIFT;
    if (!atomic_compare_exchange_strong(&record->state, &state, asked)) {
        return false;
    }
    if (atomic_load(&record->tid) != tid) {
        atomic_compare_exchange_strong(&record->state, &asked, 0); /* another's now */
    }
    return true;
}

static void reading_end(struct wait_record *record, unsigned next)
{
    atomic_store(&record->state, next);
    raw_futex_wake(&record->state);
}

/* Fills in the hold, in the state WAITING | READING, which the thread cannot change. */
static enum thread_found record_hold(struct wait_record *record, pid_t tid,
                                     uint32_t round, struct thread_hold *ret_hold)
{
    struct wait_frame frame = {.record = NULL};
    if (atomic_load(&record->tid) != tid) {
        reading_end(record, WAITING); /* another's now */
    } else if (frame_copy(record, &frame)) {
        ret_hold->registers = frame.registers;
        ret_hold->leaf = (uintptr_t)frame.function;
        ret_hold->waits = frame.number;
        ret_hold->pointer = atomic_load(&record->pointer);
        return THREAD_HELD;
    } else {
        /* It is just leaving, or has left in a way that we did not see. */
        reading_end(record, ASKED | round << ROUND_SHIFT);
    }
    return THREAD_TO_BE_ASKED;
}

enum thread_found probe_wait_hold(pid_t tid, uint32_t round,
                                  struct thread_hold *ret_hold)
{
    struct wait_record *record = record_find(tid);
    if (record == NULL && (record = record_take(tid)) == NULL) {
        return THREAD_TO_BE_ASKED; /* a wait that it just begins may end early */
    }
    record->round = round;
    for (;;) {
        unsigned state = WAITING;
        if (atomic_compare_exchange_strong(&record->state, &state, WAITING | READING)) {
            return record_hold(record, tid, round, ret_hold);
        }
        if ((state & WAITING) == 0 && record_ask(record, state, tid, round)) {
            return THREAD_TO_BE_ASKED;
        }
    }
}

void probe_wait_release(pid_t tid)
{
    struct wait_record *record = record_find(tid);
    if (record != NULL) {
        reading_end(record, WAITING);
    }
}

static void asked_end(struct wait_record *record, uint32_t round)
{
    unsigned asked = ASKED | round << ROUND_SHIFT;
    if (record != NULL && atomic_compare_exchange_strong(&record->state, &asked, 0)) {
        raw_futex_wake(&record->state);
    }
}

void probe_wait_answered(uint32_t round)
{
    asked_end(own != NULL ? own : record_find(gettid()), round);
}

void probe_wait_given_up(pid_t tid, uint32_t round)
{
    asked_end(record_find(tid), round);
}

void probe_wait_sweep(uint32_t round)
{
    for (size_t i = 0; i < LISTS; i++) {
        struct wait_record *record = atomic_load(&lists[i]);
        for (; record != NULL; record = record->next) {
            pid_t tid = atomic_load(&record->tid);
            if (tid == 0 || record->round == round || tgkill(process, tid, 0) == 0) {
                continue;
            }
            sigset_t before;
            lists_take(&before);
            /* A new thread may have got the number. */
            if (tgkill(process, tid, 0) != 0) {
                atomic_compare_exchange_strong(&record->tid, &tid, 0);
            }
            lists_give(&before);
        }
    }
}

void probe_wait_records_fork_child(void)
{
    process = getpid();
    atomic_store(&lists_lock, 0);
    for (size_t i = 0; i < LISTS; i++) {
        struct wait_record *record = atomic_load(&lists[i]);
        for (; record != NULL; record = record->next) {
            atomic_store(&record->tid, 0);
            atomic_store(&record->state, 0);
        }
    }
    /* The record of this thread has its parent's number, and maybe the wrong list. */
    struct wait_frame *frame = own == NULL ? NULL : atomic_load(&own->frame);
    own = NULL;
    if (frame != NULL) {
        /* Forked in a handler during a wait: leaving that wait changes nothing. */
        frame->record = NULL;
    }
    pthread_setspecific(end_key, NULL);
}
