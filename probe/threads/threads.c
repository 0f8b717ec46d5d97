/*
 * Runs one round: asks every thread, waits, collects the answers. Waking threads takes
 * most of the time, so threads that have not run since the last round get no signal.
 */
#include "probe/threads/threads.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "probe/threads/task_directory.h"
#include "probe/threads/thread_details.h"
#include "probe/threads/thread_records.h"
#include "probe/threads/thread_slots.h"

/* How many threads are asked at a time. To wake all at once would be of no use: there
 * are not enough processors to run them. */
#define WINDOW 64

/* When to look for the first time at threads that have not answered. */
#define FIRST_LOOK (20 * CLOCK_NS_PER_MS)

/* The lock protects everything below. */
static pthread_mutex_t round_lock = PTHREAD_MUTEX_INITIALIZER;
static struct thread_records records; /* of the last round */
static int task_fd = -1;              /* as task_directory.h says, for this round */
static const struct thread_source *source;

int probe_threads_start(void)
{
    int error = probe_thread_slots_start();
    return error == 0 ? probe_task_directory_open() : error;
}

void probe_threads_settle(const struct threads_settings *settings)
{
    pthread_mutex_lock(&round_lock);
    source = settings->source;
    probe_thread_slots_settle(source, settings->hidden_start, settings->hidden_end);
    pthread_mutex_unlock(&round_lock);
}

int probe_threads_move_signal(int signal)
{
    pthread_mutex_lock(&round_lock);
    int error = probe_thread_slots_move(signal);
    pthread_mutex_unlock(&round_lock);
    return error;
}

int probe_threads_fork_child(void)
{
    static const struct thread_records none = {0};
    if (pthread_mutex_trylock(&round_lock) == 0) {
        probe_thread_records_release(&records);
    } else {
        /* Copied in the middle of a round: what is there cannot be relied on. */
        static const pthread_mutex_t free_lock = PTHREAD_MUTEX_INITIALIZER;
        round_lock = free_lock;
        pthread_mutex_lock(&round_lock);
    }
    records = none;
    probe_thread_slots_fork_child();
    int error = probe_task_directory_fork_child();
    pthread_mutex_unlock(&round_lock);
    return error;
}

int probe_threads_round_begin(const struct thread_source **ret_source)
{
    pthread_mutex_lock(&round_lock);
    *ret_source = source;
    int fd = probe_task_directory();
    if (fd < 0) {
        pthread_mutex_unlock(&round_lock);
    }
    return fd;
}

void probe_threads_round_end(void)
{
    pthread_mutex_unlock(&round_lock);
}

struct thread_entry *probe_threads_at(const struct threads *threads, size_t number)
{
    return (struct thread_entry *)(void *)threads->entries.data + number;
}

void probe_threads_release(struct threads *threads)
{
    buffer_release(&threads->entries);
    probe_stacks_release(&threads->stacks);
    threads->count = 0;
    threads->silent = 0;
}

static void thread_add(pid_t tid, void *argument)
{
    struct threads *threads = argument;
    struct thread_entry entry = {.tid = tid, .stack = THREADS_NO_STACK};
    buffer_append(&threads->entries, &entry, sizeof(entry));
    threads->count += threads->entries.error == 0;
}

/* Lists the threads. If the calling one is not there, the directory is not ours. */
static int threads_list(struct threads *threads)
{
    int error = probe_task_each(task_fd, thread_add, threads);
    bool own_found = false;
    for (size_t i = 0; i < threads->count && !own_found; i++) {
        own_found = probe_threads_at(threads, i)->tid == gettid();
    }
    if (error == 0 && threads->entries.error != 0) {
        error = threads->entries.error;
    }
    return error == 0 && !own_found ? -ESRCH : error;
}

/* A round that is under way. */
struct round {
    struct threads *threads;
    size_t asked_count; /* threads that are done: asked, or skipped */
    unsigned sent;      /* threads that are to answer, the calling one too */
    unsigned signals;   /* that were sent */
    unsigned closed;    /* of these, no longer waited for */
    unsigned lost;      /* of these, expected not to answer */
    int64_t deadline;
    pid_t own_tid;
    uint32_t number;
};

static void slot_give_up(struct round *round, size_t number)
{
    if (probe_thread_slot_close(number)) {
        round->closed++;
        if (source != NULL) {
            const struct thread_entry *entry = probe_threads_at(round->threads, number);
            source->given_up(entry->tid, round->number);
        }
    }
}

/* Reads the thread's stack if the source holds it. Returns what the source has found.
 */
static enum thread_found thread_hold(const struct round *round, size_t number)
{
    struct thread_entry *entry = probe_threads_at(round->threads, number);
    struct thread_hold hold = {0};
    if (source == NULL || entry->tid == round->own_tid) {
        return THREAD_TO_BE_ASKED;
    }
    enum thread_found found = source->hold(entry->tid, round->number, &hold);
    if (found == THREAD_HELD) {
        probe_thread_slot_read(number, &hold);
        source->release(entry->tid, &hold);
    } else if (found == THREAD_LEFT_ALONE) {
        probe_thread_slot_leave(number);
    }
    return found;
}

/* Whether the thread's stack is still that of its last answer: it has not run since, or
 * the source says so. */
static bool has_not_run(const struct thread_entry *entry)
{
    struct thread_record *record = probe_thread_records_find(&records, entry->tid);
    if (record == NULL || source == NULL) {
        return record != NULL && probe_thread_records_unchanged(&records, record);
    }
    uint64_t wait = source->wait_now(entry->tid);
    return wait != 0 && record->switches == probe_thread_switches(wait);
}

/* Asks one thread. */
static void thread_ask(struct round *round, size_t number)
{
    struct thread_entry *entry = probe_threads_at(round->threads, number);
    if (!probe_thread_slot_free(number)) {
        return;
    }
    if (entry->unchanged || has_not_run(entry)) {
        /* It has not run since its last answer, so no signal is needed. */
        probe_thread_slot_skip(number);
        return;
    }
    if (thread_hold(round, number) != THREAD_TO_BE_ASKED) {
        return;
    }
    round->sent++;
    if (entry->tid == round->own_tid) {
        probe_thread_slot_ask_self(number);
        return;
    }
    int error = probe_thread_slot_ask(number, entry->tid);
    while (error == -EAGAIN && clock_now_ns() < round->deadline) {
        probe_thread_slots_wait(round->sent - round->closed,
                                clock_now_ns() + CLOCK_NS_PER_MS);
        error = probe_thread_slot_ask(number, entry->tid);
    }
    if (error == 0) {
        round->signals++;
    } else {
        slot_give_up(round, number);
    }
    if (error == -ESRCH) {
        entry->tid = 0; /* it has ended */
    }
}

static void round_ask(struct round *round)
{
    size_t count = round->threads->count;
    for (size_t i = 0; i < count && i < THREADS_MAX; i++) {
        thread_ask(round, i);
        round->asked_count = i + 1;
        unsigned expected = round->sent - round->closed - round->lost;
        if (expected < probe_thread_slots_answered() + WINDOW) {
            continue;
        }
        int64_t until = clock_now_ns() + FIRST_LOOK;
        until = until < round->deadline ? until : round->deadline;
        if (!probe_thread_slots_wait(expected - WINDOW / 2, until)) {
            /* Silent threads must not delay the others. */
            round->lost = round->sent - round->closed - probe_thread_slots_answered();
        }
    }
}

/* Closes the slots of threads that have ended or block the signal. */
static void round_look(struct round *round)
{
    for (size_t i = 0; i < round->asked_count; i++) {
        struct thread_entry *entry = probe_threads_at(round->threads, i);
        if (entry->tid == 0 || !probe_thread_slot_waits(i)) {
            continue;
        }
        if (syscall(SYS_tgkill, getpid(), entry->tid, 0) != 0) {
            slot_give_up(round, i);
            entry->tid = 0;
        } else if (probe_thread_ended(task_fd, entry->tid) ||
                   probe_thread_blocks(task_fd, entry->tid, probe_threads_signal())) {
            slot_give_up(round, i);
        }
    }
}

static void round_wait(struct round *round)
{
    int64_t look = FIRST_LOOK;
    while (
        !probe_thread_slots_wait(round->sent - round->closed, clock_now_ns() + look)) {
        if (clock_now_ns() >= round->deadline) {
            break;
        }
        round_look(round);
        look *= 2;
    }
    for (size_t i = 0; i < round->asked_count; i++) {
        slot_give_up(round, i);
    }
}

/* Takes a thread's stack from its answer, or from its last record if it was not asked,
 * and adds it to `fresh` for the next round. Returns 0 or -ENOMEM. */
static int thread_collect(struct threads *threads, size_t number, int64_t now,
                          struct thread_records *fresh)
{
    static const int64_t one[STACK_VALUES] = {1};
    struct thread_entry *entry = probe_threads_at(threads, number);
    const struct thread_record *last = probe_thread_records_find(&records, entry->tid);
    const struct thread_answer *answer =
        number < THREADS_MAX ? probe_thread_slot_answer(number) : NULL;
    int error = 0;
    size_t depth = 0;
    if (last != NULL && number < THREADS_MAX && probe_thread_slot_skipped(number)) {
        error = probe_thread_records_keep(fresh, &records, last);
    } else if (answer != NULL) {
        /* A running thread does not wait, even if it is found in the same place. */
        bool runs = entry->state == 'R';
        error = probe_thread_records_add(fresh, entry->tid, answer, runs ? NULL : last,
                                         &records, now, runs ? 0 : entry->waited_ns);
    } else {
        threads->silent++;
        entry->waited_ns = entry->waited_ns < 0 ? 0 : entry->waited_ns;
        return 0;
    }
    if (error == 0) {
        const struct thread_record *record = probe_thread_records_last(fresh);
        const uintptr_t *frames = probe_thread_records_frames(fresh, record, &depth);
        entry->waited_ns = now - record->since;
        error = probe_stacks_add(&threads->stacks, frames, depth, one, &entry->stack);
    }
    return error;
}

static int round_collect(struct round *round, int64_t now)
{
    struct threads *threads = round->threads;
    struct thread_records fresh = {0};
    int error = 0;
    size_t kept = 0;
    /* Reserve the whole size at once: growing in steps would copy the data many
     * times. */
    buffer_reserve(&fresh.entries, threads->count * sizeof(struct thread_record));
    for (size_t i = 0; i < threads->count && error == 0; i++) {
        struct thread_entry *entry = probe_threads_at(threads, i);
        if (entry->tid != 0) {
            error = thread_collect(threads, i, now, &fresh);
            *probe_threads_at(threads, kept++) = *entry;
        }
    }
    threads->count = kept;
    if (error == 0) {
        error = probe_thread_records_settle(&fresh);
    }
    probe_thread_records_release(&records);
    records = fresh;
    return error;
}

static void nothing_read(struct threads *threads)
{
    for (size_t i = 0; i < threads->count; i++) {
        probe_threads_at(threads, i)->waited_ns = -1;
    }
}

static void details_read(struct threads *threads)
{
    struct thread_clock clock = {0};
    probe_thread_clock_read(task_fd, &clock);
    for (size_t i = 0; i < threads->count; i++) {
        struct thread_entry *entry = probe_threads_at(threads, i);
        entry->waited_ns = -1;
        probe_thread_details_read(task_fd, &clock, entry);
    }
}

static void wait_read(const struct thread_clock *clock, struct thread_entry *entry)
{
    probe_thread_details_read(task_fd, clock, entry);
    probe_thread_call_read(task_fd, entry);
}

void probe_threads_read_wait(struct thread_entry *entry)
{
    struct thread_clock clock = {0};
    probe_thread_clock_read(task_fd, &clock);
    clock.exec_start_ms = 0; /* when the thread last ran is not wanted */
    wait_read(&clock, entry);
}

/* Reads what the threads wait in that have run since the last round. */
static void waits_read(struct threads *threads)
{
    struct thread_clock clock = {0};
    probe_thread_clock_read(task_fd, &clock);
    clock.exec_start_ms = 0;
    for (size_t i = 0; i < threads->count; i++) {
        struct thread_entry *entry = probe_threads_at(threads, i);
        entry->waited_ns = -1;
        entry->unchanged = has_not_run(entry);
        if (!entry->unchanged) {
            wait_read(&clock, entry);
        }
    }
}

/* One round; `files_read` reads what /proc says of the threads. */
static int round_run(void (*files_read)(struct threads *threads),
                     struct threads *ret_threads)
{
    struct threads threads = {0};
    struct round round = {.threads = &threads, .own_tid = gettid()};
    pthread_mutex_lock(&round_lock);
    task_fd = probe_task_directory();
    int error = task_fd < 0 ? task_fd : threads_list(&threads);
    if (error == 0) {
        /* Read before the signals, which wake the threads. */
        threads.taken_ns = clock_now_ns();
        files_read(&threads);
        int64_t now = clock_now_ns();
        round.deadline = now + THREADS_TIME_LIMIT_MS * CLOCK_NS_PER_MS;
        round.number = probe_thread_slots_begin();
        round_ask(&round);
        round_wait(&round);
        if (source != NULL) {
            source->end(round.number);
        }
        error = round_collect(&round, now);
        threads.asked = round.signals;
    }
    pthread_mutex_unlock(&round_lock);
    if (error != 0) {
        probe_threads_release(&threads);
        return error;
    }
    *ret_threads = threads;
    return 0;
}

int probe_threads_read(bool details, struct threads *ret_threads)
{
    return round_run(details ? details_read : nothing_read, ret_threads);
}

int probe_threads_read_waits(struct threads *ret_threads)
{
    return round_run(waits_read, ret_threads);
}
