/*
 * The signal that asks a thread for its stack, and the handler that answers.
 *
 * The hard part is a late answer: a thread may run its handler long after the asking
 * thread (the asker) has given up, when the slot is already used in another round. So
 * each slot has a state word with the number of the round, and it changes by
 * compare-and-swap:
 *
 *   asker:   (round, ASKED)                       before the signal is sent
 *   handler: (round, ASKED)   -> (round, WRITING) or it leaves the slot alone
 *            (round, WRITING) -> (round, DONE)
 *   asker:   (round, ASKED)   -> (round, CLOSED)  when it gives up
 *
 * The signal carries the round's number to the handler. The handler first unwinds into
 * a variable on its own stack and copies last, so WRITING is short. If it still lasts
 * longer than the round, the slot is not used until the handler has finished. The slots
 * are never freed, so a late handler always finds its slot.
 */
#include "probe/threads/thread_slots.h"

#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include <unwind.h>

#include "base/clock.h"
#include "probe/recorder/inside.h"
#include "probe/recorder/own_memory.h"

enum slot_phase {
    SLOT_FREE,
    SLOT_ASKED,
    SLOT_WRITING,
    SLOT_DONE,
    SLOT_CLOSED,
    SLOT_SKIPPED,
    SLOT_BUSY, /* asked to stay, but the thread must do something else first */
};

struct slot {
    _Atomic uint64_t state; /* round << 8 | phase */
    union {
        struct thread_answer answer;
        struct parked_thread parked;
    };
};

/* In a signal's value, beside the slot's number: the thread is to stay. */
#define VALUE_PARK 0x80000000U

static struct slot *slots; /* THREADS_MAX */
static pid_t process_id;
static uint32_t round_number;
static atomic_int signal_number; /* 0: THREADS_SIGNAL */
static const struct thread_source *source;

/* Code whose frames are left out of the threads' stacks. */
static uintptr_t hidden_start;
static uintptr_t hidden_end;

/* The number of answers; the handler that reaches the wanted number wakes the asker.
 * The upper bits hold the round: a handler may be delayed between its answer and the
 * counting, and must not be counted in the next round. */
#define COUNT_BITS 16
#define COUNT_MASK ((1U << COUNT_BITS) - 1)
_Static_assert(THREADS_MAX <= COUNT_MASK, "a round's answers can be counted");
static atomic_uint answers;
static atomic_uint answers_wanted;

/* The value of `answers` for `count` answers in that round. */
static unsigned answers_count(uint32_t round, unsigned count)
{
    return round << COUNT_BITS | count;
}

static uint64_t slot_state(uint32_t round, enum slot_phase phase)
{
    return (uint64_t)round << 8 | phase;
}

/* The state of unwinding a thread's stack in its signal handler. */
struct walk {
    bool inside;                    /* the frames of the handler itself are passed */
    bool shows_all;                 /* hidden code too */
    const struct thread_hold *hold; /* NULL: the thread walks its own stack */
    struct thread_answer answer;
};

/* Notes where on the stack this frame's return address is. On x86-64 it is directly
 * below the caller's stack pointer, which the unwinder calls the frame address. On
 * other processors nothing is noted, and every thread gets a signal in each round. */
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

static bool frame_is_hidden(const struct walk *walk, uintptr_t address)
{
    return !walk->shows_all && address >= hidden_start && address < hidden_end;
}

static _Unwind_Reason_Code walk_frame(struct _Unwind_Context *context, void *argument)
{
    struct walk *walk = argument;
    struct thread_answer *answer = &walk->answer;
    int interrupted = 0;
    uintptr_t address = _Unwind_GetIPInfo(context, &interrupted);
    /* The first interrupted frame is the one that the signal interrupted. */
    walk->inside |= interrupted != 0;
    if (!walk->inside || address == 0 || frame_is_hidden(walk, address)) {
        return _URC_NO_REASON;
    }
    if (answer->depth == THREADS_DEPTH_MAX) {
        return _URC_END_OF_STACK;
    }
    if (walk->hold != NULL && walk->hold->copy && address >= walk->hold->end_begin &&
        address < walk->hold->end_end) {
        answer->frames[answer->depth++] = walk->hold->cut;
        return _URC_END_OF_STACK;
    }
    frame_place(answer, address, _Unwind_GetCFA(context));
    /* A return address is after the call; minus one, it is inside the call. */
    answer->frames[answer->depth++] = interrupted ? address : address - 1;
    return _URC_NO_REASON;
}

/* Copies only the used part of an answer. */
static void answer_copy(struct thread_answer *to, const struct thread_answer *from)
{
    to->depth = from->depth;
    to->placed = from->placed;
    to->base = from->base;
    to->switches = from->switches;
    memcpy(to->frames, from->frames, from->depth * sizeof(from->frames[0]));
    memcpy(to->places, from->places, from->depth * sizeof(from->places[0]));
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

static void walk_begin(struct walk *walk, bool inside)
{
    walk->inside = inside;
    walk->shows_all = inside;
    walk->hold = NULL;
    walk->answer.depth = 0;
    walk->answer.placed = 0;
    walk->answer.base = 0;
}

/* The handler's work. It uses only its own memory, atomics and system calls. The asker
 * takes its own stack in the same way, but not in a handler: then `inside` is true. */
static void slot_answer(struct slot *slot, uint32_t round, bool inside)
{
    uint64_t state = slot_state(round, SLOT_ASKED);
    if (atomic_load(&slot->state) != state) {
        return; /* too late: the asker has given up */
    }
    struct walk walk;
    walk_begin(&walk, inside);
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

/* The same for a thread that is to stay. Returns false if it is busy: the asker will
 * send the signal again, and until then the thread must not begin a wait that the
 * signal would end. */
static bool slot_park(struct slot *slot, uint32_t round, const ucontext_t *context)
{
    uint64_t state = slot_state(round, SLOT_ASKED);
    if (atomic_load(&slot->state) != state) {
        return true; /* too late: the asker has given up */
    }
    if (probe_changing != 0) {
        return !atomic_compare_exchange_strong(&slot->state, &state,
                                               slot_state(round, SLOT_BUSY));
    }
    struct parked_thread parked;
    probe_thread_park_fill(context, &parked);
    if (!atomic_compare_exchange_strong(&slot->state, &state,
                                        slot_state(round, SLOT_WRITING))) {
        return true;
    }
    slot->parked = parked;
    atomic_store(&slot->state, slot_state(round, SLOT_DONE));
    answer_count(round);
    probe_thread_park_stay(round);
    return true;
}

static void on_signal(int signal, siginfo_t *info, void *context)
{
    (void)signal;
    int saved = errno;
    probe_inside++;
    uint64_t value = (uintptr_t)info->si_value.sival_ptr;
    uint32_t number = (uint32_t)value & ~VALUE_PARK;
    uint32_t round = (uint32_t)(value >> 32);
    /* Another process can send this signal too, with any value. */
    if (info->si_code == SI_QUEUE && info->si_pid == process_id &&
        number < THREADS_MAX) {
        bool answered = true;
        if ((value & VALUE_PARK) != 0) {
            answered = slot_park(&slots[number], round, context);
        } else {
            slot_answer(&slots[number], round, false);
        }
        if (source != NULL && answered) {
            source->answered(round);
        }
    }
    probe_inside--;
    errno = saved;
}

int probe_threads_signal(void)
{
    int number = atomic_load(&signal_number);
    return number == 0 ? THREADS_SIGNAL : number;
}

static struct sigaction replaced; /* the disposition before ours */

static int handler_install(int signal)
{
    struct sigaction before;
    struct sigaction action = {.sa_sigaction = on_signal,
                               .sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK};
    sigfillset(&action.sa_mask);
    if (sigaction(signal, &action, &before) != 0) {
        return -errno;
    }
    replaced = before;
    return 0;
}

int probe_thread_slots_move(int signal)
{
    int old = probe_threads_signal();
    struct sigaction before = replaced;
    int error = slots == NULL || signal < 0 ? 0 : handler_install(signal);
    if (error != 0) {
        return error;
    }
    atomic_store(&signal_number, signal);
    if (slots != NULL) {
        /* A signal that still waits for a thread which blocks it is thrown away. */
        struct sigaction ignore = {.sa_handler = SIG_IGN};
        sigaction(old, &ignore, NULL);
        sigaction(old, &before, NULL);
    }
    return 0;
}

void probe_thread_slots_settle(const struct thread_source *new_source,
                               uintptr_t new_hidden_start, uintptr_t new_hidden_end)
{
    source = new_source;
    hidden_start = new_hidden_start;
    hidden_end = new_hidden_end;
}

int probe_thread_slots_start(void)
{
    process_id = getpid();
    void *memory = mmap(NULL, THREADS_MAX * sizeof(struct slot), PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) {
        return -errno;
    }
    if (!probe_own_memory_note(memory, THREADS_MAX * sizeof(struct slot))) {
        munmap(memory, THREADS_MAX * sizeof(struct slot));
        return -ENOMEM;
    }
    slots = memory;
    /* The unwinder initialises itself at its first use; that must not happen in a
     * handler. */
    struct walk walk = {0};
    _Unwind_Backtrace(walk_frame, &walk);
    return handler_install(probe_threads_signal());
}

void probe_thread_slots_fork_child(void)
{
    process_id = getpid();
    if (slots != NULL) {
        /* No handler of another thread will ever finish here. */
        madvise(slots, THREADS_MAX * sizeof(struct slot), MADV_DONTNEED);
    }
}

uint32_t probe_thread_slots_begin(void)
{
    round_number++;
    atomic_store(&answers, answers_count(round_number, 0));
    return round_number;
}

bool probe_thread_slot_free(size_t number)
{
    return (atomic_load(&slots[number].state) & 0xff) != SLOT_WRITING;
}

void probe_thread_slot_skip(size_t number)
{
    atomic_store(&slots[number].state, slot_state(round_number, SLOT_SKIPPED));
}

bool probe_thread_slot_skipped(size_t number)
{
    return atomic_load(&slots[number].state) == slot_state(round_number, SLOT_SKIPPED);
}

/* Sends the signal with this value. */
static int slot_send(size_t number, uint32_t flag, pid_t tid)
{
    atomic_store(&slots[number].state, slot_state(round_number, SLOT_ASKED));
    int signal = probe_threads_signal();
    siginfo_t info = {.si_signo = signal, .si_code = SI_QUEUE};
    info.si_pid = process_id;
    info.si_uid = getuid();
    uint64_t value = (uint64_t)round_number << 32 | flag | number;
    info.si_value.sival_ptr = (void *)(uintptr_t)value;
    return syscall(SYS_rt_tgsigqueueinfo, process_id, tid, signal, &info) == 0 ? 0
                                                                               : -errno;
}

int probe_thread_slot_ask(size_t number, pid_t tid)
{
    return slot_send(number, 0, tid);
}

int probe_thread_slot_park(size_t number, pid_t tid)
{
    return slot_send(number, VALUE_PARK, tid);
}

bool probe_thread_slot_busy(size_t number)
{
    return atomic_load(&slots[number].state) == slot_state(round_number, SLOT_BUSY);
}

const struct parked_thread *probe_thread_slot_parked(size_t number)
{
    bool done =
        atomic_load(&slots[number].state) == slot_state(round_number, SLOT_DONE);
    return done ? &slots[number].parked : NULL;
}

void probe_thread_slot_ask_self(size_t number)
{
    atomic_store(&slots[number].state, slot_state(round_number, SLOT_ASKED));
    slot_answer(&slots[number], round_number, true);
}

void probe_thread_slot_leave(size_t number)
{
    atomic_store(&slots[number].state, slot_state(round_number, SLOT_CLOSED));
}

void probe_thread_slot_read(size_t number, const struct thread_hold *hold)
{
    static struct walk walk; /* one round at a time */
    struct slot *slot = &slots[number];
    walk_begin(&walk, false);
    walk.shows_all = true;
    walk.hold = hold;
    probe_stack_walk(&hold->registers, walk_frame, &walk);
    if (hold->leaf != 0 && walk.answer.depth > 0) {
        walk.answer.frames[0] = hold->leaf;
    }
    if (hold->copy) {
        walk.answer.placed = 0; /* the places are those of the copy */
    }
    walk.answer.switches = probe_thread_switches(hold->waits);
    answer_copy(&slot->answer, &walk.answer);
    atomic_store(&slot->state, slot_state(round_number, SLOT_DONE));
}

bool probe_thread_slot_waits(size_t number)
{
    return atomic_load(&slots[number].state) == slot_state(round_number, SLOT_ASKED);
}

bool probe_thread_slot_close(size_t number)
{
    struct slot *slot = &slots[number];
    uint64_t state = slot_state(round_number, SLOT_ASKED);
    if (atomic_compare_exchange_strong(&slot->state, &state,
                                       slot_state(round_number, SLOT_CLOSED))) {
        return true;
    }
    for (int i = 0; i < 1000; i++) {
        if ((atomic_load(&slot->state) & 0xff) != SLOT_WRITING) {
            break;
        }
        sched_yield();
    }
    return false;
}

const struct thread_answer *probe_thread_slot_answer(size_t number)
{
    const struct slot *slot = &slots[number];
    bool done = atomic_load(&slot->state) == slot_state(round_number, SLOT_DONE);
    return done && slot->answer.depth > 0 ? &slot->answer : NULL;
}

unsigned probe_thread_slots_answered(void)
{
    return atomic_load(&answers) & COUNT_MASK;
}

bool probe_thread_slots_wait(unsigned target, int64_t until)
{
    struct timespec end = {.tv_sec = until / CLOCK_NS_PER_SECOND,
                           .tv_nsec = until % CLOCK_NS_PER_SECOND};
    atomic_store(&answers_wanted, answers_count(round_number, target));
    for (;;) {
        unsigned seen = atomic_load(&answers);
        if ((seen & COUNT_MASK) >= target) {
            return true;
        }
        /* Unlike FUTEX_WAIT, this operation takes a point in time, not a duration. */
        if (syscall(SYS_futex, &answers, FUTEX_WAIT_BITSET_PRIVATE, seen, &end, NULL,
                    FUTEX_BITSET_MATCH_ANY) != 0 &&
            errno == ETIMEDOUT) {
            return probe_thread_slots_answered() >= target;
        }
    }
}
