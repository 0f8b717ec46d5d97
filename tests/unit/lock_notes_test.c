/*
 * Notes of who waits for a lock: in one wait, within another, after a jump, of threads
 * that have ended; and that a reader never sees half of one.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "probe/calls/calls.h"
#include "probe/locks/lock_notes.h"
#include "probe/locks/lock_waits.h"
#include "unit.h"

/* The calls are there, as in a program. */
void probe_calls_prepare(void)
{
}

_Thread_local unsigned probe_in_vfork __attribute__((tls_model("initial-exec")));

/* Asked only where that is not 0. */
bool probe_is_other_process(void)
{
    return true;
}

/* The only note; NULL: there is none. */
static const struct lock_note *only_note(void)
{
    static struct lock_note copy;
    struct buffer notes = {0};
    assert_int_equal(probe_lock_notes_read(&notes), 0);
    assert_in_range(notes.length / sizeof(copy), 0, 1);
    bool found = notes.length > 0;
    if (found) {
        memcpy(&copy, notes.data, sizeof(copy));
    }
    buffer_release(&notes);
    return found ? &copy : NULL;
}

static void a_wait_is_noted_until_it_ends(void **state)
{
    (void)state;
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    struct lock_note note;
    {
        errno = 4711;
        LOCK_WAIT_HERE(.call = LOCK_CALL_MUTEX, .lock = &mutex, .timed = true);
        assert_int_equal(errno, 4711);
        note = *only_note();
        assert_int_equal(note.tid, gettid());
        assert_int_equal(note.lock, (uintptr_t)&mutex);
        assert_int_equal(note.call, LOCK_CALL_MUTEX);
        assert_true(note.timed);
        assert_false(note.own);
        assert_true(probe_lock_note_stands(&note));
    }
    assert_null(only_note());
    assert_false(probe_lock_note_stands(&note));
    LOCK_WAIT_HERE(.call = LOCK_CALL_MUTEX, .lock = &mutex, .timed = true);
    assert_false(probe_lock_note_stands(&note)); /* the next wait is another one */
    assert_true(only_note()->number > note.number);
}

static void a_mutex_of_ones_own_is_noted_as_such(void **state)
{
    (void)state;
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
    pthread_mutex_lock(&mutex);
    pthread_rwlock_wrlock(&rwlock);
    {
        LOCK_WAIT_HERE(.call = LOCK_CALL_MUTEX, .lock = &mutex);
        assert_true(only_note()->own);
    }
    {
        LOCK_WAIT_HERE(.call = LOCK_CALL_READ, .lock = &rwlock);
        assert_true(only_note()->own);
    }
    pthread_rwlock_unlock(&rwlock);
    pthread_mutex_unlock(&mutex);
}

static void a_wait_within_a_wait_comes_first(void **state)
{
    (void)state;
    pthread_rwlock_t outer = PTHREAD_RWLOCK_INITIALIZER;
    pthread_rwlock_t inner = PTHREAD_RWLOCK_INITIALIZER;
    struct lock_wait waits[2] = {{.call = LOCK_CALL_READ, .lock = &inner},
                                 {.call = LOCK_CALL_WRITE, .lock = &outer}};
    probe_lock_wait_begin(&waits[1]); /* the stack grows down */
    uint64_t number = only_note()->number;
    probe_lock_wait_begin(&waits[0]);
    assert_int_equal(only_note()->lock, (uintptr_t)&inner);
    assert_int_equal(only_note()->call, LOCK_CALL_READ);
    probe_lock_wait_end(&waits[0]);
    assert_int_equal(only_note()->lock, (uintptr_t)&outer);
    assert_int_equal(only_note()->call, LOCK_CALL_WRITE);
    assert_true(only_note()->number > number);
    probe_lock_wait_end(&waits[1]);
    assert_null(only_note());
}

static void what_was_jumped_out_of_is_no_wait(void **state)
{
    (void)state;
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    struct lock_wait waits[2] = {{.call = LOCK_CALL_MUTEX, .lock = &mutex},
                                 {.call = LOCK_CALL_MUTEX, .lock = &mutex}};
    probe_lock_wait_begin(&waits[1]);
    probe_lock_waits_abandon();
    assert_null(only_note());
    probe_lock_wait_end(&waits[1]); /* nothing happens */
    assert_null(only_note());

    /* A wait that was left unseen lies below the next one. */
    probe_lock_wait_begin(&waits[0]);
    probe_lock_wait_begin(&waits[1]);
    probe_lock_wait_end(&waits[1]);
    assert_null(only_note());
}

static void the_probes_own_waits_are_none(void **state)
{
    (void)state;
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    probe_inside++;
    LOCK_WAIT_HERE(.call = LOCK_CALL_MUTEX, .lock = &mutex);
    probe_inside--;
    assert_null(only_note());
}

static struct lock_wait left_behind = {.call = LOCK_CALL_MUTEX};

static void *end_while_waiting(void *mutex)
{
    left_behind.lock = mutex;
    probe_lock_wait_begin(&left_behind);
    return NULL;
}

static bool has_no_note(void *unused)
{
    (void)unused;
    return only_note() == NULL;
}

static void a_thread_that_ends_in_a_wait_leaves_no_note(void **state)
{
    (void)state;
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    for (int i = 0; i < 100; i++) {
        unit_join(unit_thread(end_while_waiting, &mutex));
        unit_wait_until(has_no_note, NULL);
    }
}

/* ---- Many threads at a time ---- */

#define THREADS 4
#define ROUNDS 200

static atomic_bool over;

/* What a thread waits for, in turns: no two notes are alike. */
struct waiter {
    atomic_int tid;
    pthread_rwlock_t rwlock;
    pthread_mutex_t mutex;
};

static struct waiter waiters[THREADS];

static void *wait_again_and_again(void *argument)
{
    struct waiter *waiter = argument;
    atomic_store(&waiter->tid, gettid());
    while (!atomic_load(&over)) {
        {
            LOCK_WAIT_HERE(.call = LOCK_CALL_READ, .lock = &waiter->rwlock,
                           .timed = true);
        }
        {
            LOCK_WAIT_HERE(.call = LOCK_CALL_CONDITION, .lock = &waiter->mutex);
        }
    }
    return NULL;
}

static void note_check(const struct lock_note *note)
{
    const struct waiter *waiter = waiters;
    while (atomic_load(&waiter->tid) != note->tid) {
        assert_ptr_not_equal(++waiter, waiters + THREADS);
    }
    bool reads = note->call == LOCK_CALL_READ;
    assert_int_equal(note->lock,
                     reads ? (uintptr_t)&waiter->rwlock : (uintptr_t)&waiter->mutex);
    assert_int_equal(note->call, reads ? LOCK_CALL_READ : LOCK_CALL_CONDITION);
    assert_int_equal(note->timed, reads);
}

static void a_note_is_never_half_of_another(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    size_t seen = 0;
    for (int i = 0; i < THREADS; i++) {
        threads[i] = unit_thread(wait_again_and_again, &waiters[i]);
    }
    int64_t end = unit_now_ms() + UNIT_PATIENCE_MS;
    for (int round = 0; (round < ROUNDS || seen < ROUNDS) && unit_now_ms() < end;
         round++) {
        struct buffer notes = {0};
        assert_int_equal(probe_lock_notes_read(&notes), 0);
        const struct lock_note *note = (const void *)notes.data;
        for (size_t i = 0; i < notes.length / sizeof(*note); i++) {
            note_check(&note[i]);
            seen++;
        }
        buffer_release(&notes);
    }
    atomic_store(&over, true);
    for (int i = 0; i < THREADS; i++) {
        unit_join(threads[i]);
    }
    assert_true(seen >= ROUNDS);
    assert_null(only_note());
}

/* ---- fork ---- */

static void *fork_here(void *argument)
{
    pid_t parents = gettid();
    int *ret_status = argument;
    pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
    struct lock_wait wait = {.call = LOCK_CALL_READ, .lock = &rwlock};
    probe_lock_wait_begin(&wait);
    probe_lock_waits_fork_prepare();
    pid_t child = fork();
    if (child == 0) {
        probe_lock_waits_fork_child();
        bool right = has_no_note(NULL) && probe_lock_owner_now(parents) == getpid() &&
                     probe_lock_owner_now(getpid()) == getpid() &&
                     probe_lock_owner_now(1) == 1;
        probe_lock_wait_end(&wait);
        LOCK_WAIT_HERE(.call = LOCK_CALL_READ, .lock = &rwlock);
        right = right && only_note() != NULL && only_note()->tid == getpid();
        _exit(right ? 0 : 1);
    }
    waitpid(child, ret_status, 0);
    probe_lock_wait_end(&wait);
    return NULL;
}

static void a_child_has_its_parents_number_for_an_owner(void **state)
{
    (void)state;
    int status = -1;
    unit_join(unit_thread(fork_here, &status));
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_null(only_note());
}

/* In a process that has no memory for notes. Ends it with 0 if all is right. */
static void without_memory(void)
{
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    struct rlimit none = {0, 0};
    probe_lock_waits_start(NULL);
    bool right = probe_lock_waits_missing() == NULL;
    setrlimit(RLIMIT_AS, &none);
    {
        LOCK_WAIT_HERE(.call = LOCK_CALL_MUTEX, .lock = &mutex);
        right = right && probe_lock_waits_missing() != NULL;
    }
    right = right && probe_lock_waits_missing() == NULL;
    _exit(right ? 0 : 1);
}

/* It comes first: later there is memory that was taken before. */
static void a_wait_that_cannot_be_noted_is_missed_as_long_as_it_lasts(void **state)
{
    (void)state;
    int status = -1;
    pid_t child = fork();
    if (child == 0) {
        without_memory();
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static int begin(void **state)
{
    (void)state;
    atomic_store(&probe_lock_waits_on, true);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_wait_that_cannot_be_noted_is_missed_as_long_as_it_lasts),
        cmocka_unit_test(a_wait_is_noted_until_it_ends),
        cmocka_unit_test(a_mutex_of_ones_own_is_noted_as_such),
        cmocka_unit_test(a_wait_within_a_wait_comes_first),
        cmocka_unit_test(what_was_jumped_out_of_is_no_wait),
        cmocka_unit_test(the_probes_own_waits_are_none),
        cmocka_unit_test(a_thread_that_ends_in_a_wait_leaves_no_note),
        cmocka_unit_test(a_note_is_never_half_of_another),
        cmocka_unit_test(a_child_has_its_parents_number_for_an_owner),
    };
    return cmocka_run_group_tests(tests, begin, NULL);
}
