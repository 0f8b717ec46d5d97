/*
 * Tests of the number of children: of several threads, living and ended ones, while
 * threads end at the worst moment, and where the kernel does not say it.
 */
#include "probe/figures/child_count.h"

#include <fcntl.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit.h"

/* The linker sends each look at a thread here (--wrap=openat). */
int __real_openat(int directory, const char *path, int flags, ...);
int __wrap_openat(int directory, const char *path, int flags, ...);

static bool no_such_file;               /* the kernel has none of these files */
static void (*before)(const char *tid); /* called before a thread is asked */
static atomic_uint looks;

int __wrap_openat(int directory, const char *path, int flags, ...)
{
    atomic_fetch_add(&looks, 1);
    if (no_such_file) {
        errno = ENOENT;
        return -1;
    }
    if (before != NULL) {
        before(path);
    }
    return __real_openat(directory, path, flags);
}

/* A thread that makes children, and stays until it is let go. */
struct mother {
    pthread_t thread;
    int wanted;
    atomic_int tid; /* 0: not ready yet; -1: it is gone */
    sem_t leave;
};

#define CHILDREN_MOST 2000

static pid_t children[CHILDREN_MOST];
static atomic_uint children_made;

/* A child that stays until the end of the test. */
static pid_t child_make(void)
{
    pid_t child = fork();
    if (child == 0) {
        pause();
        _exit(0);
    }
    unsigned number = atomic_fetch_add(&children_made, 1);
    if (child < 0 || number >= CHILDREN_MOST) {
        abort();
    }
    children[number] = child;
    return child;
}

static void children_end(void)
{
    for (unsigned i = 0; i < atomic_load(&children_made); i++) {
        kill(children[i], SIGKILL);
    }
    while (wait(NULL) > 0) {
    }
    atomic_store(&children_made, 0);
}

static void *mother_main(void *argument)
{
    struct mother *mother = argument;
    for (int i = 0; i < mother->wanted; i++) {
        child_make();
    }
    atomic_store(&mother->tid, gettid());
    while (sem_wait(&mother->leave) != 0) {
    }
    return NULL;
}

static bool mother_is_ready(void *mother)
{
    return atomic_load(&((struct mother *)mother)->tid) > 0;
}

static void mother_start(struct mother *mother, int wanted)
{
    *mother = (struct mother){.wanted = wanted};
    sem_init(&mother->leave, 0, 0);
    mother->thread = unit_thread(mother_main, mother);
    unit_wait_until(mother_is_ready, mother);
}

static bool is_no_thread(void *tid)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/self/task/%d", *(int *)tid);
    return access(path, F_OK) != 0;
}

/* Afterwards the kernel does not list the thread any more. */
static void mother_end(struct mother *mother)
{
    int tid = atomic_exchange(&mother->tid, -1);
    if (tid > 0) {
        sem_post(&mother->leave);
        pthread_join(mother->thread, NULL);
        unit_wait_until(is_no_thread, &tid);
    }
}

static unsigned count_now(void)
{
    unsigned count = 0;
    assert_int_equal(probe_child_count(&count), 0);
    return count;
}

static struct mother mothers[2];

/* No children and no threads are left for the next test. */
static int all_end(void **state)
{
    (void)state;
    before = NULL;
    no_such_file = false;
    mother_end(&mothers[0]);
    mother_end(&mothers[1]);
    children_end();
    return 0;
}

static void children_of_all_threads_are_counted(void **state)
{
    (void)state;
    assert_int_equal(count_now(), 0);
    child_make();
    assert_int_equal(count_now(), 1);
    mother_start(&mothers[0], 2);
    mother_start(&mothers[1], 3);
    assert_int_equal(count_now(), 6);
    mother_end(&mothers[0]);
    assert_int_equal(count_now(), 6);
}

static void ended_children_count_until_they_are_waited_for(void **state)
{
    (void)state;
    pid_t child = fork();
    if (child == 0) {
        _exit(0);
    }
    siginfo_t ended;
    assert_int_equal(waitid(P_PID, (id_t)child, &ended, WEXITED | WNOWAIT), 0);
    assert_int_equal(count_now(), 1);
    assert_int_equal(waitpid(child, NULL, WNOHANG), child); /* it was left alone */
    assert_int_equal(count_now(), 0);
}

static void more_children_than_one_read_gives_are_counted(void **state)
{
    (void)state;
    for (int i = 0; i < 1500; i++) {
        child_make();
    }
    assert_int_equal(count_now(), 1500);
}

static void a_kernel_without_these_files_does_not_say_zero(void **state)
{
    (void)state;
    no_such_file = true;
    unsigned count = 7;
    assert_int_equal(probe_child_count(&count), -ENOENT);
    assert_int_equal(count, 7);
}

static void with_too_many_threads_only_no_child_is_a_number(void **state)
{
    (void)state;
    static pthread_t threads[CHILD_COUNT_THREADS_MOST + 1];
    static struct mother still;
    sem_init(&still.leave, 0, 0);
    for (size_t i = 0; i < sizeof(threads) / sizeof(threads[0]); i++) {
        threads[i] = unit_thread(mother_main, &still);
    }
    atomic_store(&looks, 0);
    assert_int_equal(count_now(), 0);
    assert_int_equal(looks, 1); /* and no thread was asked but one */
    child_make();
    unsigned count = 7;
    assert_int_equal(probe_child_count(&count), -EOPNOTSUPP);
    assert_int_equal(count, 7);
    assert_true(looks < 10); /* nor was it now */
    for (size_t i = 0; i < sizeof(threads) / sizeof(threads[0]); i++) {
        sem_post(&still.leave);
    }
    for (size_t i = 0; i < sizeof(threads) / sizeof(threads[0]); i++) {
        unit_join(threads[i]);
    }
}

/* The first mother ends just before she is asked. */
static void first_ends_before_herself(const char *path)
{
    if (atoi(path) == atomic_load(&mothers[0].tid)) {
        mother_end(&mothers[0]);
    }
}

static void children_of_a_thread_that_just_ended_are_not_missed(void **state)
{
    (void)state;
    mother_start(&mothers[0], 2);
    before = first_ends_before_herself;
    assert_int_equal(count_now(), 2);
    assert_int_equal(atomic_load(&mothers[0].tid), -1);
}

/* The first mother ends when she has been asked, and the main thread has not: then that
 * one has her children. */
static void first_ends_before_main(const char *path)
{
    static int looks_at_first;
    looks_at_first += atoi(path) == atomic_load(&mothers[0].tid);
    if (atoi(path) == getpid() && looks_at_first > 0) {
        looks_at_first = 0;
        mother_end(&mothers[0]);
    }
}

static void children_that_moved_are_not_counted_twice(void **state)
{
    (void)state;
    mother_start(&mothers[0], 2);
    before = first_ends_before_main;
    assert_int_equal(count_now(), 2);
    assert_int_equal(atomic_load(&mothers[0].tid), -1);
}

/* Whenever the main thread is asked, another thread with a child has just ended. */
static void one_ends_and_one_begins(const char *path)
{
    static unsigned looks_at_main;
    if (atoi(path) == getpid() && ++looks_at_main > 1) {
        mother_end(&mothers[0]);
        mother_start(&mothers[0], 1);
    }
}

static void what_never_stands_still_is_not_counted(void **state)
{
    (void)state;
    mother_start(&mothers[0], 1);
    before = one_ends_and_one_begins;
    unsigned count = 7;
    assert_int_equal(probe_child_count(&count), -EAGAIN);
    assert_int_equal(count, 7);
}

/* In a process whose main thread has ended: the children of the first mother go to this
 * thread, which has been asked already. Ends the process with their number. */
static void *count_without_main(void *unused)
{
    (void)unused;
    mother_start(&mothers[0], 2);
    char state = ' ';
    while (state != 'Z') {
        FILE *file = fopen("/proc/self/stat", "r");
        state =
            file == NULL || fscanf(file, "%*d (%*[^)]) %c", &state) != 1 ? ' ' : state;
        if (file != NULL) {
            fclose(file);
        }
    }
    before = first_ends_before_herself;
    unsigned count = 99;
    int error = probe_child_count(&count);
    children_end();
    _exit(error != 0 ? 98 : (int)count);
}

static void children_are_counted_after_the_main_thread(void **state)
{
    (void)state;
    pid_t child = fork();
    if (child == 0) {
        unit_thread(count_without_main, NULL);
        pthread_exit(NULL);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(children_of_all_threads_are_counted, all_end),
        cmocka_unit_test_teardown(ended_children_count_until_they_are_waited_for,
                                  all_end),
        cmocka_unit_test_teardown(more_children_than_one_read_gives_are_counted,
                                  all_end),
        cmocka_unit_test_teardown(a_kernel_without_these_files_does_not_say_zero,
                                  all_end),
        cmocka_unit_test_teardown(with_too_many_threads_only_no_child_is_a_number,
                                  all_end),
        cmocka_unit_test_teardown(children_of_a_thread_that_just_ended_are_not_missed,
                                  all_end),
        cmocka_unit_test_teardown(children_that_moved_are_not_counted_twice, all_end),
        cmocka_unit_test_teardown(what_never_stands_still_is_not_counted, all_end),
        cmocka_unit_test_teardown(children_are_counted_after_the_main_thread, all_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
