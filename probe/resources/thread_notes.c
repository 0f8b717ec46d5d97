/*
 * Notes are cut from chunks, and those that are no longer needed are in a list. One
 * lock guards all of it. Where a thread is joined it may be the caller who holds it (a
 * signal handler has interrupted the probe), and it is held while a thread forks: a
 * thread whose maker or beginning cannot have it soon is made unseen.
 */
#include "probe/resources/thread_notes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "probe/process/descriptors.h"
#include "probe/recorder/inside.h"
#include "probe/recorder/lock.h"
#include "probe/recorder/own_memory.h"
#include "probe/recorder/visit.h"
#include "probe/resources/descriptor_tables.h"
#include "probe/resources/note_table.h"
#include "probe/resources/thread_attributes.h"
#include "probe/resources/threads_aside.h"
#include "probe/threads/task_directory.h"

#define THREAD_DATA_BYTES 2048 /* of the C library's data of a thread: it has more */
#define CHUNK_NOTES 512U
#define CHUNKS (1U << 14) /* 8 million threads */
#define SWEPT_FROM 256U   /* notes; with fewer, none is looked for that may go */

/* `which` has the note's place in the lower bits, and above that a number of its own
 * for each thread. */
#define PLACE_BITS 24
#define PLACE_MASK ((UINT64_C(1) << PLACE_BITS) - 1)
/* Or it is a pthread_t, and this bit, which an address has not: the notes were busy. */
#define BY_THREAD (UINT64_C(1) << 63)

struct thread_note {
    struct thread_noted noted; /* `which` 0: free */
    struct thread_task task;
    atomic_bool made; /* the function that has started it is done with the note */
    atomic_bool joined;
    unsigned table; /* of descriptors: its starter's */
    uint32_t place; /* from 1 on */
    uint32_t next;  /* of the free ones */
};

static struct probe_lock lock;
static struct thread_note *chunks[CHUNKS];
static uint32_t cut;   /* notes that there is memory for */
static uint32_t used;  /* of these, not free */
static uint32_t first; /* free note; 0: there is none */
static uint32_t sweep_at = SWEPT_FROM;
static uint64_t next_thread = 1;
static struct note_table by_thread; /* `which` by pthread_t; guarded by the lock too */
static _Atomic pid_t own;

static int64_t boot_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_BOOTTIME, &now);
    return (int64_t)now.tv_sec * CLOCK_NS_PER_SECOND + now.tv_nsec;
}

static struct thread_note *note_at(uint32_t place)
{
    return &chunks[(place - 1) / CHUNK_NOTES][(place - 1) % CHUNK_NOTES];
}

/* The note of this thread; NULL if it is another one's by now. */
static struct thread_note *note_of(uint64_t which)
{
    uint32_t place = (uint32_t)(which & PLACE_MASK);
    struct thread_note *note = place == 0 ? NULL : note_at(place);
    return note != NULL && note->noted.which == which ? note : NULL;
}

/* The note that has this pthread_t now; 0: none has. */
static uint64_t which_of(uint64_t thread)
{
    struct note_entry entry;
    return probe_note_find(&by_thread, thread, &entry) ? entry.extra : 0;
}

/* Notes which thread has this pthread_t now; one that had it before is gone: only one
 * that was let go has given it back. */
static void thread_known(struct thread_note *note, pthread_t thread)
{
    struct thread_note *before = note_of(which_of(thread));
    if (before != NULL) {
        before->noted.let_go = true;
        before->joined = true;
    }
    note->noted.thread = thread;
    probe_note_put(&by_thread,
                   (struct note_entry){.key = thread, .extra = note->noted.which});
}

static void thread_forget(const struct thread_note *note)
{
    uint64_t thread = note->noted.thread;
    if (thread != 0 && which_of(thread) == note->noted.which) {
        probe_note_take(&by_thread, thread, NULL);
    }
}

static void note_free(struct thread_note *note)
{
    thread_forget(note);
    note->noted = (struct thread_noted){0};
    note->next = first;
    first = note->place;
    used--;
}

/* Notes that a thread was joined or detached. The lock is held. */
static void note_let_go(uint64_t which, bool joined)
{
    which = (which & BY_THREAD) == 0 ? which : which_of(which & ~BY_THREAD);
    struct thread_note *note = note_of(which);
    if (note != NULL) {
        note->noted.let_go = true;
    }
    if (note != NULL && joined) {
        note->joined = true;
        thread_forget(note);
    }
}

/* Takes the lock, and notes what could not be noted meanwhile. */
static void notes_take(void)
{
    probe_lock_take(&lock);
    probe_threads_aside(note_let_go);
}

/* The same where a thread of the program waits: not for long. Returns false if the lock
 * is still taken. */
static bool notes_take_patiently(void)
{
    bool taken = probe_lock_take_patiently(&lock);
    if (taken) {
        probe_threads_aside(note_let_go);
    } else {
        probe_thread_not_noted();
    }
    return taken;
}

/* Whether nothing is left of the thread. Its number may be another thread's by now:
 * then the note stays for longer than it must. One that was joined without a number has
 * ended before it could say it: in a signal handler. */
static bool is_gone(const struct thread_note *note, pid_t process)
{
    if (!note->made || !note->noted.let_go || note->noted.tid == 0) {
        return note->made && note->joined;
    }
    return syscall(SYS_tgkill, process, note->noted.tid, 0) != 0 && errno == ESRCH;
}

/* Frees the notes of threads that are gone. */
static void sweep(void)
{
    pid_t process = getpid();
    for (uint32_t place = 1; place <= cut; place++) {
        struct thread_note *note = note_at(place);
        if (note->noted.which != 0 && is_gone(note, process)) {
            note_free(note);
        }
    }
    sweep_at = used * 2 > SWEPT_FROM ? used * 2 : SWEPT_FROM;
}

/* Makes one more free note. Returns whether there is memory. */
static bool cut_one(void)
{
    uint32_t chunk = cut / CHUNK_NOTES;
    if (chunk == CHUNKS) {
        return false;
    }
    if (chunks[chunk] == NULL) {
        chunks[chunk] = probe_own_memory_take(CHUNK_NOTES * sizeof(struct thread_note));
    }
    if (chunks[chunk] == NULL) {
        return false;
    }
    cut++;
    *note_at(cut) = (struct thread_note){.place = cut, .next = first};
    first = cut;
    return true;
}

static struct thread_note *note_take(void)
{
    if (first == 0 && used >= sweep_at) {
        sweep();
    }
    if (first == 0 && !cut_one()) {
        return NULL;
    }
    struct thread_note *note = note_at(first);
    first = note->next;
    used++;
    note->made = false;
    note->joined = false;
    note->noted.which = next_thread++ << PLACE_BITS | note->place;
    return note;
}

struct thread_note *probe_thread_note(const pthread_attr_t *attributes,
                                      struct thread_task task, const void *frame)
{
    if (!probe_resources_wanted()) {
        return NULL;
    }
    struct thread_noted noted = {.note = probe_resource_note(frame)};
    struct probe_visit visit = probe_visit_begin();
    const struct thread_attributes read = probe_thread_attributes(attributes);
    noted.let_go = read.detached;
    noted.stack_most = read.stack_most;
    bool taken = notes_take_patiently();
    struct thread_note *note = taken ? note_take() : NULL;
    if (note != NULL) {
        noted.which = note->noted.which;
        note->noted = noted;
        note->task = task;
        note->table = probe_fd_table();
    }
    if (taken) {
        probe_lock_give(&lock);
    }
    probe_visit_end(visit);
    return note;
}

/* The C library keeps what a thread was started with, in its data of the thread (struct
 * pthread). That is the note now: the program's own argument goes there, where a search
 * for pointers finds it, as it would without us. */
static void argument_put_back(const struct thread_note *note, void *argument)
{
    const void **words = (const void **)pthread_self(); // NOLINT
    for (size_t i = 0; i < THREAD_DATA_BYTES / sizeof(*words); i++) {
        if (words[i] == note) {
            words[i] = argument;
        }
    }
}

struct thread_task probe_thread_begins(struct thread_note *note)
{
    struct thread_task task = note->task;
    pid_t tid = gettid();
    argument_put_back(note, task.argument);
    probe_fd_table_begin(note->table);
    struct probe_visit visit = probe_visit_begin();
    if (notes_take_patiently()) {
        note->noted.tid = tid;
        note->noted.begun_ns = boot_now();
        if (note->noted.thread == 0) {
            thread_known(note, pthread_self());
        }
        probe_thread_number_count(tid);
        probe_lock_give(&lock);
    }
    probe_visit_end(visit);
    return task;
}

void probe_thread_made(struct thread_note *note, const pthread_t *thread, bool started)
{
    struct probe_visit visit = probe_visit_begin();
    bool taken = notes_take_patiently();
    if (!taken && !started) {
        atomic_store(&note->joined, true); /* a sweep frees it */
    }
    atomic_store(&note->made, true);
    if (taken && !started) {
        note_free(note);
    } else if (taken && note->noted.thread == 0) {
        /* It has not begun. Later on `*thread` could be gone: the new thread may free
         * it. */
        thread_known(note, *thread);
    }
    if (taken) {
        probe_lock_give(&lock);
    }
    probe_visit_end(visit);
}

uint64_t probe_thread_which(pthread_t thread)
{
    uint64_t which = thread | BY_THREAD;
    if (!probe_resources_forget()) {
        return 0;
    }
    struct probe_visit visit = probe_visit_begin();
    if (probe_lock_take_safely(&lock)) {
        probe_threads_aside(note_let_go);
        which = which_of(thread);
        probe_lock_give(&lock);
    }
    probe_visit_end(visit);
    return which;
}

static void let_go(uint64_t which, bool joined)
{
    if (which == 0) {
        return;
    }
    struct probe_visit visit = probe_visit_begin();
    if (probe_lock_take_safely(&lock)) {
        note_let_go(which, joined);
        probe_lock_give(&lock);
    } else {
        probe_thread_put_aside(which, joined);
    }
    probe_visit_end(visit);
}

void probe_thread_joined(uint64_t which)
{
    let_go(which, true);
}

void probe_thread_detached(uint64_t which)
{
    let_go(which, false);
}

void probe_thread_own(pid_t tid)
{
    own = tid;
}

bool probe_thread_is_own(pid_t tid)
{
    return tid == own;
}

int probe_thread_notes_copy(struct buffer *ret_notes)
{
    struct probe_visit visit = probe_visit_begin();
    buffer_clear(ret_notes);
    /* Taken before the lock, with room for some that are made meanwhile. */
    buffer_reserve(ret_notes, (used + CHUNK_NOTES) * sizeof(struct thread_noted));
    notes_take();
    for (uint32_t place = 1; place <= cut; place++) {
        const struct thread_noted *noted = &note_at(place)->noted;
        if (noted->which != 0) {
            buffer_append(ret_notes, noted, sizeof(*noted));
        }
    }
    probe_lock_give(&lock);
    probe_visit_end(visit);
    return ret_notes->error;
}

bool probe_thread_is_kept(uint64_t which)
{
    struct probe_visit visit = probe_visit_begin();
    notes_take();
    const struct thread_note *note = note_of(which);
    bool kept = note != NULL && !note->noted.let_go;
    probe_lock_give(&lock);
    probe_visit_end(visit);
    return kept;
}

size_t probe_thread_notes_room(void)
{
    return cut;
}

static void number_count(pid_t tid, void *unused)
{
    (void)unused;
    probe_thread_number_count(tid);
}

void probe_thread_notes_start(void)
{
    int fd = probe_proc_open("self/task", O_RDONLY | O_DIRECTORY);
    if (fd >= 0) {
        (void)probe_task_each(fd, number_count, NULL);
        close(fd);
    }
}

void probe_thread_notes_hold(void)
{
    notes_take();
}

void probe_thread_notes_release(void)
{
    probe_lock_give(&lock);
}

void probe_thread_notes_fork_child(void)
{
    probe_note_forget_all(&by_thread);
    probe_threads_aside_forget();
    for (uint32_t place = 1; place <= cut; place++) {
        struct thread_note *note = note_at(place);
        if (note->noted.tid != 0) {
            note_free(note);
        } else {
            /* Not to be used again: a signal handler in pthread_create may have forked,
             * and the thread begins in the child as well. */
            note->noted.which = 0;
        }
    }
    probe_thread_number_count(getpid());
    probe_thread_own(0);
    probe_lock_give(&lock);
}
