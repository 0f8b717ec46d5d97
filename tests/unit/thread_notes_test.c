/*
 * Notes of threads: they are used again, they tell two threads with the same pthread_t
 * apart, and a forked child has none of its parent's.
 */
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "probe/resources/resource_list.h"
#include "probe/resources/resources_fork.h"
#include "probe/resources/thread_notes.h"
#include "unit.h"

#define CROWD 20000
#define AT_ONCE 32

static sem_t room;

/* How many notes there are of threads that were neither joined nor detached. */
static size_t kept_count(void)
{
    struct buffer notes = {0};
    assert_int_equal(probe_thread_notes_copy(&notes), 0);
    const struct thread_noted *noted = (const void *)notes.data;
    size_t kept = 0;
    for (size_t i = 0; i < notes.length / sizeof(*noted); i++) {
        kept += !noted[i].let_go;
    }
    buffer_release(&notes);
    return kept;
}

static void *post_room(void *unused)
{
    sem_post(&room);
    return unused;
}

static void *nothing(void *unused)
{
    return unused;
}

static void *wait_for_post(void *semaphore)
{
    while (sem_wait(semaphore) != 0) {
    }
    return NULL;
}

static void notes_of_detached_threads_are_used_again(void **state)
{
    (void)state;
    pthread_attr_t attributes;
    sem_init(&room, 0, AT_ONCE);
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    for (int i = 0; i < CROWD; i++) {
        pthread_t thread;
        wait_for_post(&room);
        bool later = i % 2 == 0;
        assert_int_equal(
            pthread_create(&thread, later ? NULL : &attributes, post_room, NULL), 0);
        if (later) {
            assert_int_equal(pthread_detach(thread), 0);
        }
    }
    pthread_attr_destroy(&attributes);
    assert_in_range(probe_thread_notes_room(), 1, 2000);
    assert_int_equal(kept_count(), 0);
}

static void notes_of_joined_threads_are_used_again(void **state)
{
    (void)state;
    size_t before = probe_thread_notes_room();
    for (int i = 0; i < CROWD / 10; i++) {
        unit_join(unit_thread(nothing, NULL));
    }
    assert_in_range(probe_thread_notes_room(), before, before + 500);
    assert_int_equal(kept_count(), 0);
}

/* Between its end and the word that it was joined, another thread has got its
 * pthread_t.
 */
static void a_join_means_one_thread(void **state)
{
    (void)state;
    sem_t end;
    sem_init(&end, 0, 0);
    pthread_t first = unit_thread(nothing, NULL);
    uint64_t which = probe_thread_which(first);
    assert_int_not_equal(which, 0);
    assert_true(probe_thread_is_kept(which));
    unit_join(first);
    assert_false(probe_thread_is_kept(which));
    assert_int_equal(probe_thread_which(first), 0);
    pthread_t second = unit_thread(wait_for_post, &end);
    assert_int_equal(second, first); /* as the C library gives stacks again */
    uint64_t other = probe_thread_which(second);
    assert_int_not_equal(other, which);
    probe_thread_joined(which);
    probe_thread_detached(which);
    assert_true(probe_thread_is_kept(other));
    assert_int_equal(probe_thread_which(second), other);
    sem_post(&end);
    unit_join(second);
    assert_int_equal(kept_count(), 0);
}

struct joining {
    pthread_t thread;
    sem_t has_begun;
    sem_t may_join;
};

/* A thread that has not begun would wait for the notes. */
static void *begun_main(void *argument)
{
    struct joining *joining = argument;
    sem_post(&joining->has_begun);
    return NULL;
}

static void *joining_main(void *argument)
{
    struct joining *joining = argument;
    sem_post(&joining->has_begun);
    wait_for_post(&joining->may_join);
    unit_join(joining->thread);
    return NULL;
}

/* As while another thread forks, and that takes long. */
static void a_join_is_noted_later_if_the_notes_are_busy(void **state)
{
    (void)state;
    struct joining joining;
    sem_init(&joining.has_begun, 0, 0);
    sem_init(&joining.may_join, 0, 0);
    joining.thread = unit_thread(begun_main, &joining);
    pthread_t detached = unit_thread(begun_main, &joining);
    uint64_t which = probe_thread_which(joining.thread);
    uint64_t other = probe_thread_which(detached);
    pthread_t joiner = unit_thread(joining_main, &joining);
    for (int i = 0; i < 3; i++) {
        wait_for_post(&joining.has_begun);
    }
    probe_thread_notes_hold();
    sem_post(&joining.may_join);
    assert_int_equal(pthread_detach(detached), 0);
    unit_join(joiner);
    probe_thread_notes_release();
    assert_false(probe_thread_is_kept(which));
    assert_false(probe_thread_is_kept(other));
    assert_int_equal(kept_count(), 0);
}

static void a_thread_that_was_not_noted_has_no_number(void **state)
{
    (void)state;
    assert_int_equal(probe_thread_which(pthread_self()), 0);
    probe_thread_joined(0);
    probe_thread_detached(0);
    assert_false(probe_thread_is_kept(0));
}

static void a_refused_thread_leaves_no_note(void **state)
{
    (void)state;
    pthread_t thread;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, (size_t)1 << 50);
    size_t before = probe_thread_notes_room();
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(pthread_create(&thread, &attributes, nothing, NULL), EAGAIN);
    }
    pthread_attr_destroy(&attributes);
    assert_in_range(probe_thread_notes_room(), before, before + 1);
    assert_int_equal(kept_count(), 0);
}

/* What a child finds wrong, as its exit status. */
static int child(uint64_t parents)
{
    if (probe_thread_is_kept(parents) || kept_count() != 0) {
        return 1;
    }
    pthread_t thread;
    if (pthread_create(&thread, NULL, nothing, NULL) != 0 || kept_count() != 1) {
        return 2;
    }
    pthread_join(thread, NULL);
    return kept_count() == 0 && !probe_thread_number_reused(getpid()) ? 0 : 3;
}

static void a_forked_child_has_no_note_of_its_parent(void **state)
{
    (void)state;
    sem_t end;
    sem_init(&end, 0, 0);
    pthread_t thread = unit_thread(wait_for_post, &end);
    uint64_t which = probe_thread_which(thread);
    int status = 0;
    probe_resources_fork_prepare();
    pid_t pid = fork();
    if (pid == 0) {
        probe_resources_fork_child();
        _exit(child(which));
    }
    probe_resources_fork_parent();
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_true(probe_thread_is_kept(which));
    sem_post(&end);
    unit_join(thread);
}

static void a_number_is_used_again_if_two_threads_had_it(void **state)
{
    (void)state;
    const pid_t number = 4000000; /* the kernel begins with small ones */
    assert_false(probe_thread_number_reused(getpid()));
    assert_false(probe_thread_number_reused(number));
    probe_thread_number_count(number);
    assert_false(probe_thread_number_reused(number));
    assert_false(probe_thread_number_reused(number + 1));
    probe_thread_number_count(number);
    assert_true(probe_thread_number_reused(number));
    probe_thread_number_count(number);
    assert_true(probe_thread_number_reused(number));
    assert_false(probe_thread_number_reused(number - 1));
    assert_false(probe_thread_number_reused(number + 1));
}

/* The list has the only descriptor that is free: of a thread no more is known than its
 * number. */
static void what_cannot_be_read_is_not_made_up(void **state)
{
    (void)state;
    char number[32];
    struct resource_list list = {0};
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    const struct rlimit few = {.rlim_cur = 64, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    int last = -1;
    int first = dup(STDIN_FILENO);
    for (int fd = first; fd >= 0; fd = dup(STDIN_FILENO)) {
        last = fd;
    }
    close(last);
    assert_int_equal(probe_threads_made.list(&list), 0);
    for (int fd = first; fd < last; fd++) {
        close(fd);
    }
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    snprintf(number, sizeof(number), "thread %d", (int)getpid());
    assert_int_equal(list.totals[0], 1);
    assert_string_equal(list.examples.data, number);
    probe_resource_list_release(&list);
}

static void no_number_is_certain_before_the_start(void)
{
    if (!probe_thread_number_reused(getpid())) {
        puts("a number is certain before threads are noted");
        exit(EXIT_FAILURE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_thread_that_was_not_noted_has_no_number),
        cmocka_unit_test(a_join_means_one_thread),
        cmocka_unit_test(a_join_is_noted_later_if_the_notes_are_busy),
        cmocka_unit_test(a_refused_thread_leaves_no_note),
        cmocka_unit_test(a_forked_child_has_no_note_of_its_parent),
        cmocka_unit_test(a_number_is_used_again_if_two_threads_had_it),
        cmocka_unit_test(what_cannot_be_read_is_not_made_up),
        cmocka_unit_test(notes_of_joined_threads_are_used_again),
        cmocka_unit_test(notes_of_detached_threads_are_used_again),
    };
    no_number_is_certain_before_the_start();
    if (probe_resources_start() != 0) {
        puts("left out: nothing is noted in this build, or libunwind is not there");
        return EXIT_SUCCESS;
    }
    probe_thread_notes_start();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
