/*
 * One round of questions and answers. Most of its time goes into waking threads, so
 * those that have not run since the last round are left asleep: thread_records.h.
 *
 * The hard part is the late answer: a thread may run its handler long after the asker
 * has given up, when the slot may already serve another round. So a slot has a state
 * word that holds the number of the round, and it changes hands by compare-and-swap:
 *
 *   asker:   (round, ASKED)                       before the signal is sent
 *   handler: (round, ASKED)   -> (round, WRITING) or it leaves the slot alone
 *            (round, WRITING) -> (round, DONE)
 *   asker:   (round, ASKED)   -> (round, CLOSED)  when it gives up
 *
 * The handler carries the round's number in its signal. It unwinds into its own stack
 * first and copies last, so WRITING lasts for a moment only; if it outlasts a round all
 * the same, the slot is not used until it is over. The slots' memory is never given
 * back, so a late answer finds it in place whenever it comes.
 */
#include "debug/threads.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include <unwind.h>

#include "debug/thread_details.h"
#include "debug/thread_records.h"

#define MILLISECOND INT64_C(1000000)

/* So many threads are asked before the first ones must have answered: all at once would
 * be woken for nothing, as they could not run. */
#define WINDOW 64

/* The first look at who has not answered yet. */
#define FIRST_LOOK (20 * MILLISECOND)

enum slot_phase {
    SLOT_FREE,
    SLOT_ASKED,
    SLOT_WRITING,
    SLOT_DONE,
    SLOT_CLOSED,
    SLOT_UNCHANGED
};

struct slot {
    _Atomic uint64_t state; /* round << 8 | phase */
    struct thread_answer answer;
};

static struct slot *slots; /* THREADS_MAX */
static pid_t process_id;
static int task_fd = -1;

/* Everything below belongs to the round, and so to who holds the lock. */
static pthread_mutex_t round_lock = PTHREAD_MUTEX_INITIALIZER;
static uint32_t round_number;
static struct thread_records records; /* of the last round */

/* But these two: handlers count their answers and wake the asker at the wanted one.
 * Above the count stands the round, as a handler may be held up between its answer and
 * its counting: the next round must not take it for one of its own. */
#define COUNT_BITS 16
#define COUNT_MASK ((1U << COUNT_BITS) - 1)
static atomic_uint answers;
static atomic_uint answers_wanted;

static int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 * MILLISECOND + now.tv_nsec;
}

/* So many answers in that round. */
static unsigned answers_count(uint32_t round, unsigned count)
{
    return round << COUNT_BITS | count;
}

static uint64_t slot_state(uint32_t round, enum slot_phase phase)
{
    return (uint64_t)round << 8 | phase;
}

/* A walk up the stack of a thread, in its signal handler. */
struct walk {
    bool inside; /* behind the handler's own frames */
    struct thread_answer answer;
};

/* Notes where on the stack the return address of this frame stands, if it stands where
 * x86-64 puts it: right below the caller's stack pointer, which is what the unwinder
 * calls the frame address. Elsewhere nothing is noted, and threads are always asked. */
static void frame_place(struct thread_answer *answer, uintptr_t address,
                        uintptr_t frame_address)
{
    if (answer->depth == 0) {
        answer->base = frame_address & ~(sizeof(uintptr_t) - 1);
        answer->places[0] = 0; /* the leaf has none */
        answer->placed = 1;
        return;
    }
    uintptr_t place = frame_address - sizeof(uintptr_t);
    uintptr_t words = (place - answer->base) / sizeof(uintptr_t);
    if (answer->placed == answer->depth && place >= answer->base &&
        place % sizeof(uintptr_t) == 0 && words <= UINT16_MAX &&
        *(const uintptr_t *)place == address) {
        answer->places[answer->depth] = (uint16_t)words;
        answer->placed++;
    }
}

static _Unwind_Reason_Code walk_frame(struct _Unwind_Context *context, void *argument)
{
    struct walk *walk = argument;
    struct thread_answer *answer = &walk->answer;
    int interrupted = 0;
    uintptr_t address = _Unwind_GetIPInfo(context, &interrupted);
    /* The first frame that was interrupted is where the signal came in. */
    walk->inside |= interrupted != 0;
    if (!walk->inside || address == 0) {
        return _URC_NO_REASON;
    }
    if (answer->depth == THREADS_DEPTH_MAX) {
        return _URC_END_OF_STACK;
    }
    frame_place(answer, address, _Unwind_GetCFA(context));
    /* A return address stands behind the call; its predecessor is inside it. */
    answer->frames[answer->depth++] = interrupted ? address : address - 1;
    return _URC_NO_REASON;
}

/* Copies what there is of an answer, and not the room for more. */
static void answer_copy(struct thread_answer *to, const struct thread_answer *from)
{
    to->depth = from->depth;
    to->placed = from->placed;
    to->base = from->base;
    to->switches = from->switches;
    memcpy(to->frames, from->frames, from->depth * sizeof from->frames[0]);
    memcpy(to->places, from->places, from->depth * sizeof from->places[0]);
}

/* Counts an answer, unless its round is over. */
static void answer_count(uint32_t round)
{
    unsigned seen = atomic_load(&answers);
    do {
        if ((seen & ~COUNT_MASK) != answers_count(round, 0)) {
            return;
        }
    } while (!atomic_compare_exchange_weak(&answers, &seen, seen + 1));
    if (seen + 1 == atomic_load(&answers_wanted)) {
        syscall(SYS_futex, &answers, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
    }
}

/* The handler's work: nothing but memory of its own, atomics and system calls. The
 * asker answers to itself in the same way, but outside of a handler: `inside`. */
static void slot_answer(struct slot *slot, uint32_t round, bool inside)
{
    uint64_t state = slot_state(round, SLOT_ASKED);
    if (atomic_load(&slot->state) != state) {
        return; /* too late: nobody waits for this any more */
    }
    struct walk walk;
    walk.inside = inside;
    walk.answer.depth = 0;
    walk.answer.placed = 0;
    walk.answer.base = 0;
    _Unwind_Backtrace(walk_frame, &walk);
    struct rusage usage;
    syscall(SYS_getrusage, RUSAGE_THREAD, &usage);
    walk.answer.switches = usage.ru_nvcsw;
    if (!atomic_compare_exchange_strong(&slot->state, &state,
                                        slot_state(round, SLOT_WRITING))) {
        return;
    }
    answer_copy(&slot->answer, &walk.answer);
    atomic_store(&slot->state, slot_state(round, SLOT_DONE));
    answer_count(round);
}

static void on_signal(int signal, siginfo_t *info, void *context)
{
    (void)signal, (void)context;
    int saved = errno;
    uint64_t value = (uintptr_t)info->si_value.sival_ptr;
    uint32_t number = (uint32_t)value;
    /* Another process may send this signal too, with whatever it likes in it. */
    if (info->si_code == SI_QUEUE && info->si_pid == process_id &&
        number < THREADS_MAX) {
        slot_answer(&slots[number], (uint32_t)(value >> 32), false);
    }
    errno = saved;
}

int threads_start(void)
{
    process_id = getpid();
    task_fd = open("/proc/self/task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (task_fd < 0) {
        return -errno;
    }
    void *memory = mmap(NULL, THREADS_MAX * sizeof(struct slot), PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) {
        return -errno;
    }
    slots = memory;
    /* The unwinder sets itself up at its first use, which must not be in a handler. */
    struct walk walk = {0};
    _Unwind_Backtrace(walk_frame, &walk);
    struct sigaction action = {.sa_sigaction = on_signal,
                               .sa_flags = SA_SIGINFO | SA_RESTART};
    sigfillset(&action.sa_mask);
    return sigaction(THREADS_SIGNAL, &action, NULL) == 0 ? 0 : -errno;
}

struct thread_entry *threads_at(const struct threads *threads, size_t number)
{
    return (struct thread_entry *)(void *)threads->entries.data + number;
}

void threads_release(struct threads *threads)
{
    buffer_release(&threads->entries);
    stacks_release(&threads->stacks);
    threads->count = 0;
    threads->silent = 0;
}

/* Lists the threads, as the kernel does: the oldest first. */
static int threads_list(struct threads *threads)
{
    char block[16 * 1024] __attribute__((aligned(8)));
    if (lseek(task_fd, 0, SEEK_SET) < 0) {
        return -errno;
    }
    for (;;) {
        ssize_t bytes = getdents64(task_fd, block, sizeof block);
        if (bytes < 0) {
            return -errno;
        }
        if (bytes == 0) {
            return threads->entries.error;
        }
        for (ssize_t at = 0; at < bytes;) {
            const struct dirent64 *item = (void *)(block + at);
            at += item->d_reclen;
            struct thread_entry entry = {.tid = (pid_t)strtol(item->d_name, NULL, 10),
                                         .stack = THREADS_NO_STACK};
            if (entry.tid > 0) {
                buffer_append(&threads->entries, &entry, sizeof entry);
                threads->count++;
            }
        }
    }
}

/* Waits until `target` answers are in, or `until`. Returns whether they are. */
static bool answers_wait(unsigned target, int64_t until)
{
    atomic_store(&answers_wanted, answers_count(round_number, target));
    for (;;) {
        unsigned seen = atomic_load(&answers);
        if ((seen & COUNT_MASK) >= target) {
            return true;
        }
        int64_t left = until - now_ns();
        if (left <= 0) {
            return false;
        }
        struct timespec timeout = {.tv_sec = left / (1000 * MILLISECOND),
                                   .tv_nsec = left % (1000 * MILLISECOND)};
        syscall(SYS_futex, &answers, FUTEX_WAIT_PRIVATE, seen, &timeout, NULL, 0);
    }
}

/* A round that is under way. */
struct round {
    struct threads *threads;
    size_t asked_count; /* the first so many threads have been dealt with */
    unsigned sent;      /* signals that were sent */
    unsigned closed;    /* of these, not waited for any more */
    unsigned lost;      /* of these, not reckoned with when asking goes on */
    int64_t deadline;
    pid_t own_tid;
};

/* Gives up on a slot. If its handler is just writing, waits for that moment to pass. */
static void slot_close(struct round *round, size_t number)
{
    struct slot *slot = &slots[number];
    uint64_t state = slot_state(round_number, SLOT_ASKED);
    if (atomic_compare_exchange_strong(&slot->state, &state,
                                       slot_state(round_number, SLOT_CLOSED))) {
        round->closed++;
        return;
    }
    for (int i = 0; i < 1000; i++) {
        if ((atomic_load(&slot->state) & 0xff) != SLOT_WRITING) {
            return;
        }
        sched_yield();
    }
}

/* Sends the signal. Returns 0 or -errno. */
static int slot_ask(size_t number, pid_t tid)
{
    siginfo_t info = {.si_signo = THREADS_SIGNAL, .si_code = SI_QUEUE};
    info.si_pid = process_id;
    info.si_uid = getuid();
    uint64_t value = (uint64_t)round_number << 32 | number;
    info.si_value.sival_ptr = (void *)(uintptr_t)value;
    return syscall(SYS_rt_tgsigqueueinfo, process_id, tid, THREADS_SIGNAL, &info) == 0
               ? 0
               : -errno;
}

/* Asks one thread. */
static void thread_ask(struct round *round, size_t number)
{
    struct thread_entry *entry = threads_at(round->threads, number);
    struct slot *slot = &slots[number];
    if ((atomic_load(&slot->state) & 0xff) == SLOT_WRITING) {
        return; /* an answer of an earlier round is still being written there */
    }
    struct thread_record *record = thread_records_find(&records, entry->tid);
    if (record != NULL && thread_records_unchanged(&records, record)) {
        /* Nothing to ask: it has not run since it answered. */
        atomic_store(&slot->state, slot_state(round_number, SLOT_UNCHANGED));
        return;
    }
    atomic_store(&slot->state, slot_state(round_number, SLOT_ASKED));
    round->sent++;
    if (entry->tid == round->own_tid) {
        slot_answer(slot, round_number, true);
        return;
    }
    int error = slot_ask(number, entry->tid);
    /* The kernel queues a limited number of signals: RLIMIT_SIGPENDING. */
    while (error == -EAGAIN && now_ns() < round->deadline) {
        answers_wait(round->sent - round->closed, now_ns() + MILLISECOND);
        error = slot_ask(number, entry->tid);
    }
    if (error != 0) {
        slot_close(round, number);
    }
    if (error == -ESRCH) {
        entry->tid = 0; /* it has ended meanwhile */
    }
}

static void round_ask(struct round *round)
{
    size_t count = round->threads->count;
    for (size_t i = 0; i < count && i < THREADS_MAX; i++) {
        thread_ask(round, i);
        round->asked_count = i + 1;
        unsigned expected = round->sent - round->closed - round->lost;
        if (expected < (atomic_load(&answers) & COUNT_MASK) + WINDOW) {
            continue;
        }
        int64_t until = now_ns() + FIRST_LOOK;
        until = until < round->deadline ? until : round->deadline;
        if (!answers_wait(expected - WINDOW / 2, until)) {
            /* Those who keep silent must not hold up the others. */
            round->lost =
                round->sent - round->closed - (atomic_load(&answers) & COUNT_MASK);
        }
    }
}

/* Closes the slots of threads that have ended or block the signal. */
static void round_look(struct round *round)
{
    for (size_t i = 0; i < round->asked_count; i++) {
        struct thread_entry *entry = threads_at(round->threads, i);
        if (entry->tid == 0 ||
            atomic_load(&slots[i].state) != slot_state(round_number, SLOT_ASKED)) {
            continue;
        }
        if (syscall(SYS_tgkill, process_id, entry->tid, 0) != 0) {
            entry->tid = 0;
            slot_close(round, i);
        } else if (thread_blocks(task_fd, entry->tid, THREADS_SIGNAL)) {
            slot_close(round, i);
        }
    }
}

static void round_wait(struct round *round)
{
    int64_t look = FIRST_LOOK;
    while (!answers_wait(round->sent - round->closed, now_ns() + look)) {
        if (now_ns() >= round->deadline) {
            break;
        }
        round_look(round);
        look *= 2;
    }
    for (size_t i = 0; i < round->asked_count; i++) {
        slot_close(round, i);
    }
}

/* Takes a thread's stack out of its answer, or out of its last record if it was not
 * asked, and notes it in `fresh` for the next round. Returns 0 or -ENOMEM. */
static int thread_collect(struct threads *threads, size_t number, int64_t now,
                          struct thread_records *fresh)
{
    static const int64_t one[STACK_VALUES] = {1};
    struct thread_entry *entry = threads_at(threads, number);
    const struct thread_record *last = thread_records_find(&records, entry->tid);
    const struct slot *slot = number < THREADS_MAX ? &slots[number] : NULL;
    uint64_t state = slot == NULL ? 0 : atomic_load(&slot->state);
    int error = 0;
    size_t depth = 0;
    if (last != NULL && state == slot_state(round_number, SLOT_UNCHANGED)) {
        error = thread_records_keep(fresh, &records, last);
    } else if (state == slot_state(round_number, SLOT_DONE) && slot->answer.depth > 0) {
        /* One that runs does not wait, though it may be found in the same place. */
        bool runs = entry->state == 'R';
        error = thread_records_add(fresh, entry->tid, &slot->answer, runs ? NULL : last,
                                   &records, now, runs ? 0 : entry->waited_ns);
    } else {
        threads->silent++;
        entry->waited_ns = entry->waited_ns < 0 ? 0 : entry->waited_ns;
        return 0;
    }
    if (error == 0) {
        const struct thread_record *record = thread_records_last(fresh);
        const uintptr_t *frames = thread_records_frames(fresh, record, &depth);
        entry->waited_ns = now - record->since;
        error = stacks_add(&threads->stacks, frames, depth, one, &entry->stack);
    }
    return error;
}

static int round_collect(struct round *round, int64_t now)
{
    struct threads *threads = round->threads;
    struct thread_records fresh = {0};
    int error = 0;
    size_t kept = 0;
    /* Room for all at once: growing step by step would copy it again and again. */
    buffer_reserve(&fresh.entries, threads->count * sizeof(struct thread_record));
    for (size_t i = 0; i < threads->count && error == 0; i++) {
        struct thread_entry *entry = threads_at(threads, i);
        if (entry->tid != 0) {
            error = thread_collect(threads, i, now, &fresh);
            *threads_at(threads, kept++) = *entry;
        }
    }
    threads->count = kept;
    if (error == 0) {
        error = thread_records_settle(&fresh);
    }
    thread_records_release(&records);
    records = fresh;
    return error;
}

static void details_read(struct threads *threads, bool details)
{
    struct thread_clock clock = {0};
    if (details) {
        thread_clock_read(task_fd, &clock);
    }
    for (size_t i = 0; i < threads->count; i++) {
        struct thread_entry *entry = threads_at(threads, i);
        entry->waited_ns = -1;
        if (details) {
            thread_details_read(task_fd, &clock, entry);
        }
    }
}

int threads_read(bool details, struct threads *ret_threads)
{
    if (slots == NULL) {
        return -ENOTSUP;
    }
    struct threads threads = {0};
    struct round round = {.threads = &threads, .own_tid = gettid()};
    pthread_mutex_lock(&round_lock);
    int error = threads_list(&threads);
    if (error == 0) {
        /* Before the question: it wakes them. */
        details_read(&threads, details);
        int64_t now = now_ns();
        round.deadline = now + THREADS_TIME_LIMIT_MS * MILLISECOND;
        round_number++;
        atomic_store(&answers, answers_count(round_number, 0));
        round_ask(&round);
        round_wait(&round);
        error = round_collect(&round, now);
    }
    pthread_mutex_unlock(&round_lock);
    if (error != 0) {
        threads_release(&threads);
        return error;
    }
    *ret_threads = threads;
    return 0;
}
