/*
 * A record is a thread's from its first wait until somebody sees that the thread has
 * ended. Records are in lists, one for each remainder of the thread's number, and never
 * leave them: so a list can be read without a lock, and a thread finds the record that
 * an ended one of the same number has left.
 *
 * Only the thread itself writes its note, maybe in a signal handler that has
 * interrupted it while it wrote. `number` is 0 while the note is being written, and
 * then one that it never was before; who reads the same number before and after the
 * rest has read one note.
 */
#include "probe/locks/lock_waits.h"

#include <errno.h>
#include <linux/futex.h>
#include <signal.h>
#include <stddef.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "probe/calls/calls.h"
#include "probe/locks/lock_notes.h"
#include "probe/recorder/own_memory.h"

#define LISTS 1024
#define BLOCK_RECORDS 255

/* The owner of a record is a thread's number, and above it how many owners it had. */
#define TID_NONE 0
#define TID_CHANGING UINT32_MAX

/* What a note says, in one word. */
#define NOTE_CALL 3U
#define NOTE_TIMED 4U
#define NOTE_OWN 8U

/* A bit of a mutex's kind. Source: glibc's nptl/pthreadP.h. */
#define KIND_ROBUST 16

struct lock_record {
    _Atomic uint64_t owner;
    _Atomic uint64_t number;  /* of the wait; 0: there is none */
    _Atomic uint64_t numbers; /* that were given */
    _Atomic uintptr_t lock;
    _Atomic uintptr_t condition;
    _Atomic int64_t since_ns;
    _Atomic(struct lock_wait *) innermost;
    struct lock_record *next;
    _Atomic uint32_t note;
} __attribute__((aligned(64)));

struct block {
    atomic_uint used;
    struct lock_record records[BLOCK_RECORDS];
};

atomic_bool probe_lock_waits_on;

static _Atomic(struct lock_record *) lists[LISTS];
static _Atomic(struct block *) block;
static atomic_uint lost; /* waits that last and are not noted: there was no memory */
static _Thread_local unsigned own_lost __attribute__((tls_model("initial-exec")));
static const char *why_missing = "the profiles of resources are switched off";

static _Thread_local struct lock_record *own __attribute__((tls_model("initial-exec")));

/* The numbers that the thread which forked had in this process's ancestors. */
#define ANCESTORS 64
static _Thread_local pid_t forking __attribute__((tls_model("initial-exec")));
static pid_t ancestors[ANCESTORS];
static atomic_uint generation;

/* ---- Records ---- */

static uint64_t owner_next(uint64_t owner, uint32_t tid)
{
    return ((owner >> 32) + 1) << 32 | tid;
}

/* `owner` -> `tid`, with no note left. Returns false if it has another owner by now. */
static bool record_hand_over(struct lock_record *record, uint64_t owner, uint32_t tid)
{
    uint64_t between = owner_next(owner, TID_CHANGING);
    if (!atomic_compare_exchange_strong(&record->owner, &owner, between)) {
        return false;
    }
    atomic_store(&record->number, 0);
    atomic_store(&record->innermost, NULL);
    atomic_store(&record->owner, owner_next(between, tid));
    return true;
}

/* A new record from our own memory; NULL if there is none. */
static struct lock_record *record_allocate(void)
{
    for (;;) {
        struct block *last = atomic_load(&block);
        unsigned number =
            last == NULL ? BLOCK_RECORDS : atomic_fetch_add(&last->used, 1);
        if (number < BLOCK_RECORDS) {
            return &last->records[number];
        }
        struct block *next = probe_own_memory_take(sizeof(*next));
        if (next == NULL) {
            return NULL;
        }
        if (!atomic_compare_exchange_strong(&block, &last, next)) {
            probe_own_memory_give(next, sizeof(*next));
        }
    }
}

static bool thread_has_ended(pid_t tid)
{
    return tgkill(getpid(), tid, 0) != 0 && errno == ESRCH;
}

/* Takes back the record of a thread that has ended. */
static void record_sweep(struct lock_record *record)
{
    uint64_t owner = atomic_load(&record->owner);
    uint32_t tid = (uint32_t)owner;
    if (tid != TID_NONE && tid != TID_CHANGING && thread_has_ended((pid_t)tid)) {
        record_hand_over(record, owner, TID_NONE);
    }
}

/* Takes the record of this number in the list. */
static struct lock_record *record_find(struct lock_record *record, uint32_t had,
                                       uint32_t tid)
{
    for (; record != NULL; record = record->next) {
        uint64_t owner = atomic_load(&record->owner);
        if ((uint32_t)owner == had && record_hand_over(record, owner, tid)) {
            break;
        }
    }
    return record;
}

/* The record of a thread that has none yet: what an ended one with its number has left,
 * a free one, or a new one. */
static struct lock_record *record_take(uint32_t tid)
{
    _Atomic(struct lock_record *) *list = &lists[tid % LISTS];
    struct lock_record *first = atomic_load(list);
    struct lock_record *record = record_find(first, tid, tid);
    if (record == NULL) {
        for (struct lock_record *old = first; old != NULL; old = old->next) {
            record_sweep(old);
        }
        record = record_find(first, TID_NONE, tid);
    }
    if (record == NULL && (record = record_allocate()) != NULL) {
        atomic_store(&record->owner, owner_next(0, tid));
        record->next = first;
        while (!atomic_compare_exchange_strong(list, &record->next, record)) {
        }
    }
    return record;
}

static struct lock_record *own_make(void)
{
    int saved = errno;
    probe_inside++;
    own = record_take((uint32_t)gettid());
    probe_inside--;
    errno = saved;
    return own;
}

/* ---- The thread that waits ---- */

int64_t probe_lock_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return (int64_t)now.tv_sec * CLOCK_NS_PER_SECOND + now.tv_nsec;
}

static void note_clear(struct lock_record *record)
{
    atomic_store_explicit(&record->number, 0, memory_order_relaxed);
    atomic_thread_fence(memory_order_release);
}

static void note_write(struct lock_record *record, const struct lock_wait *wait)
{
    uint32_t note = (uint32_t)wait->call | (wait->timed ? NOTE_TIMED : 0) |
                    (wait->own ? NOTE_OWN : 0);
    note_clear(record);
    atomic_store_explicit(&record->lock, (uintptr_t)wait->lock, memory_order_relaxed);
    atomic_store_explicit(&record->condition, (uintptr_t)wait->condition,
                          memory_order_relaxed);
    atomic_store_explicit(&record->since_ns, wait->since_ns, memory_order_relaxed);
    atomic_store_explicit(&record->note, note, memory_order_relaxed);
    /* A handler that runs here leaves the same note, with a lower number. */
    uint64_t number =
        atomic_fetch_add_explicit(&record->numbers, 1, memory_order_relaxed) + 1;
    atomic_store_explicit(&record->number, number, memory_order_release);
}

/* The thread of this process that has the mutex. If it took a robust one over from a
 * thread that had ended, only the lock word says so. */
static pid_t mutex_owner(const pthread_mutex_t *mutex)
{
    int kind = __atomic_load_n(&mutex->__data.__kind, __ATOMIC_RELAXED);
    int word = __atomic_load_n(&mutex->__data.__lock, __ATOMIC_RELAXED);
    pid_t owner = __atomic_load_n(&mutex->__data.__owner, __ATOMIC_RELAXED);
    if ((kind & KIND_ROBUST) != 0) {
        owner = (pid_t)((uint32_t)word & FUTEX_TID_MASK);
    }
    return probe_lock_owner_now(owner);
}

static pid_t rwlock_writer(const pthread_rwlock_t *rwlock)
{
    return probe_lock_owner_now(
        __atomic_load_n(&rwlock->__data.__cur_writer, __ATOMIC_RELAXED));
}

/* Whether the calling thread has the lock that it is about to wait for; of one that
 * several processes have, that is not certain (lock_memory.h). */
static bool is_owner(const struct lock_record *record, const struct lock_wait *wait)
{
    pid_t self =
        (pid_t)(uint32_t)atomic_load_explicit(&record->owner, memory_order_relaxed);
    switch (wait->call) {
    case LOCK_CALL_MUTEX:
        return mutex_owner(wait->lock) == self;
    case LOCK_CALL_READ:
    case LOCK_CALL_WRITE:
        return rwlock_writer(wait->lock) == self;
    default:
        return false;
    }
}

/* Counts waits of this thread that cannot be noted, or have ended. */
static void lost_count(int more)
{
    own_lost += (unsigned)more;
    atomic_fetch_add(&lost, (unsigned)more);
}

void probe_lock_wait_begin(struct lock_wait *wait)
{
    struct lock_record *record = NULL;
    if (probe_lock_waits_wanted()) {
        record = own != NULL ? own : own_make();
    }
    if (record == NULL) {
        wait->lost = probe_lock_waits_wanted();
        lost_count(wait->lost ? 1 : 0);
        return;
    }
    struct lock_wait *outer =
        atomic_load_explicit(&record->innermost, memory_order_relaxed);
    /* The stack grows down: an outer wait has a higher address. Otherwise it was left
     * in a way that we did not see; or the handler has a stack of its own, and then
     * nothing but a note is lost. */
    wait->outer = outer > wait ? outer : NULL;
    wait->own = is_owner(record, wait);
    wait->since_ns = probe_lock_now_ns();
    atomic_store_explicit(&record->innermost, wait, memory_order_relaxed);
    note_write(record, wait);
}

void probe_lock_wait_end(struct lock_wait *wait)
{
    struct lock_record *record = own;
    if (wait->lost &&
        own_lost > 0 /* not so if it was abandoned, or in a forked child */) {
        lost_count(-1);
    }
    if (wait->lost || record == NULL ||
        atomic_load_explicit(&record->innermost, memory_order_relaxed) != wait) {
        return; /* not noted, or abandoned */
    }
    atomic_store_explicit(&record->innermost, wait->outer, memory_order_relaxed);
    if (wait->outer != NULL) {
        note_write(record, wait->outer);
    } else {
        note_clear(record);
    }
}

void probe_lock_waits_abandon(void)
{
    struct lock_record *record = own;
    lost_count(-(int)own_lost);
    if (record != NULL &&
        atomic_load_explicit(&record->innermost, memory_order_relaxed) != NULL) {
        atomic_store_explicit(&record->innermost, NULL, memory_order_relaxed);
        note_clear(record);
    }
}

/* ---- Who reads ---- */

/* Copies the note of a record. Returns false if there is none. */
static bool note_read(const struct lock_record *record, struct lock_note *ret_note)
{
    uint64_t owner = atomic_load(&record->owner);
    uint64_t number = atomic_load(&record->number);
    uint32_t tid = (uint32_t)owner;
    if (number == 0 || tid == TID_NONE || tid == TID_CHANGING) {
        return false;
    }
    uint32_t note = atomic_load(&record->note);
    *ret_note = (struct lock_note){
        .record = record,
        .owner = owner,
        .number = number,
        .tid = (pid_t)tid,
        .lock = atomic_load(&record->lock),
        .condition = atomic_load(&record->condition),
        .call = (enum lock_call)(note & NOTE_CALL),
        .timed = (note & NOTE_TIMED) != 0,
        .own = (note & NOTE_OWN) != 0,
        .since_ns = atomic_load(&record->since_ns),
    };
    return probe_lock_note_stands(ret_note);
}

bool probe_lock_note_stands(const struct lock_note *note)
{
    atomic_thread_fence(memory_order_seq_cst);
    return atomic_load(&note->record->number) == note->number &&
           atomic_load(&note->record->owner) == note->owner;
}

int probe_lock_notes_read(struct buffer *notes)
{
    for (size_t i = 0; i < LISTS; i++) {
        struct lock_record *record = atomic_load(&lists[i]);
        for (; record != NULL; record = record->next) {
            struct lock_note note;
            record_sweep(record);
            if (note_read(record, &note)) {
                buffer_append(notes, &note, sizeof(note));
            }
        }
    }
    return notes->error;
}

/* ---- The beginning, and fork ---- */

const char *probe_lock_waits_missing(void)
{
    if (why_missing != NULL || atomic_load(&lost) == 0) {
        return why_missing;
    }
    return "memory was short: not every wait could be noted";
}

void probe_lock_waits_start(const char *why_not)
{
    if (probe_calls_prepare == NULL) {
        why_not = "in this build a sanitizer stands in front of the C library";
    }
    why_missing = why_not;
    atomic_store(&probe_lock_waits_on, why_not == NULL);
}

pid_t probe_lock_owner_now(pid_t tid)
{
    unsigned count = atomic_load_explicit(&generation, memory_order_relaxed);
    for (unsigned i = 0; i < count && i < ANCESTORS; i++) {
        if (ancestors[i] == tid) {
            return getpid();
        }
    }
    return tid;
}

void probe_lock_waits_fork_prepare(void)
{
    forking = gettid();
}

void probe_lock_waits_fork_child(void)
{
    for (size_t i = 0; i < LISTS; i++) {
        struct lock_record *record = atomic_load(&lists[i]);
        for (; record != NULL; record = record->next) {
            atomic_store(&record->number, 0);
            atomic_store(&record->innermost, NULL);
            atomic_store(&record->owner,
                         owner_next(atomic_load(&record->owner), TID_NONE));
        }
    }
    own = NULL;
    atomic_store(&lost, 0);
    own_lost = 0;
    unsigned count = atomic_load(&generation);
    ancestors[count % ANCESTORS] = forking;
    atomic_store(&generation, count + 1);
}

bool probe_lock_waits_forked(void)
{
    return atomic_load(&generation) > 0;
}
