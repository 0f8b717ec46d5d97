/*
 * Notes of timers, and their list: a timer that could not be deleted keeps its note,
 * and a kernel that lists no timers is not taken for one without any.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "probe/resources/resource_list.h"
#include "probe/resources/timer_notes.h"
#include "unit.h"

/* The linker puts this in place of open(). */
int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);

static const char *missing = "";

int __wrap_open(const char *path, int flags, ...)
{
    if (strcmp(path, missing) == 0 || strcmp("/proc", missing) == 0) {
        errno = ENOENT;
        return -1;
    }
    return __real_open(path, flags, 0);
}

__attribute__((noinline)) static timer_t timer_make(int notify)
{
    timer_t timer;
    struct sigevent event = {.sigev_notify = notify, .sigev_signo = SIGUSR1};
    assert_int_equal(timer_create(CLOCK_MONOTONIC, &event, &timer), 0);
    return timer;
}

static void a_deleted_timer_has_no_note(void **state)
{
    (void)state;
    timer_t timer = timer_make(SIGEV_NONE);
    assert_int_not_equal(probe_timer_note(timer).stack, 0);
    assert_int_equal(timer_delete(timer), 0);
    assert_int_equal(probe_timer_note(timer).stack, 0);
}

static void a_timer_that_stays_keeps_its_note(void **state)
{
    (void)state;
    struct note_entry entry;
    timer_t timer = timer_make(SIGEV_NONE);
    struct resource_note note = probe_timer_note(timer);
    assert_true(probe_timer_gone(timer, &entry));
    assert_int_equal(probe_timer_note(timer).stack, 0);
    assert_false(probe_timer_gone(timer, &entry));
    probe_timer_stays(entry);
    assert_int_equal(probe_timer_note(timer).stack, note.stack);
    assert_int_equal(probe_timer_note(timer).made, note.made);
    assert_int_equal(timer_delete(timer), 0);
}

/* The table is as full as it may be, and there is no memory for a larger one. */
static void without_memory_no_note_is_an_earlier_ones(void **state)
{
    (void)state;
    static struct note_table table;
    struct note_entry found;
    struct rlimit before;
    probe_inside++;
    for (uint64_t key = 0; key < 128; key++) {
        probe_note_put(&table, (struct note_entry){.key = key, .note = {.stack = 1}});
    }
    assert_int_equal(getrlimit(RLIMIT_AS, &before), 0);
    const struct rlimit none = {.rlim_cur = 1, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_AS, &none), 0);
    probe_note_put(&table, (struct note_entry){.key = 7, .note = {.stack = 2}});
    probe_note_put(&table, (struct note_entry){.key = 1000, .note = {.stack = 3}});
    assert_int_equal(setrlimit(RLIMIT_AS, &before), 0);
    assert_true(probe_note_find(&table, 7, &found));
    assert_int_equal(found.note.stack, 2);
    assert_false(probe_note_find(&table, 1000, &found));
    assert_int_equal(table.missed, 1);
    probe_note_forget_all(&table);
    probe_inside--;
}

/* The kernel's own number of a timer, or a pointer of the C library's. */
static void a_timer_has_the_name_that_the_library_gives_it(void **state)
{
    (void)state;
    assert_true(probe_timer_of(7, SIGUSR1, 0x1230) == (timer_t)7);
    assert_true(probe_timer_of(0, 0, 0) == (timer_t)0);
    assert_true(probe_timer_of(7, TIMER_THREAD_SIGNAL, 0x1230) ==
                (timer_t)(UINT64_C(1) << 63 | 0x918));
}

static void the_list_is_the_kernels(void **state)
{
    (void)state;
    struct resource_list list = {0};
    timer_t first = timer_make(SIGEV_NONE);
    timer_t second = timer_make(SIGEV_SIGNAL);
    assert_int_equal(probe_timers.list(&list), 0);
    assert_int_equal(list.totals[0], 2);
    assert_int_equal(list.unseen[0], 0);
    probe_resource_list_release(&list);
    assert_int_equal(timer_delete(first), 0);
    assert_int_equal(timer_delete(second), 0);
    assert_int_equal(probe_timers.list(&list), 0);
    assert_int_equal(list.totals[0], 0);
    probe_resource_list_release(&list);
}

static void a_kernel_without_the_list_is_not_one_without_timers(void **state)
{
    (void)state;
    struct resource_list list = {0};
    missing = "/proc/self/timers";
    assert_int_equal(probe_timers.list(&list), -ENOTSUP);
    missing = "/proc"; /* nothing at all is known */
    assert_int_equal(probe_timers.list(&list), -ENOENT);
    missing = "";
    probe_resource_list_release(&list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_deleted_timer_has_no_note),
        cmocka_unit_test(a_timer_that_stays_keeps_its_note),
        cmocka_unit_test(without_memory_no_note_is_an_earlier_ones),
        cmocka_unit_test(a_timer_has_the_name_that_the_library_gives_it),
        cmocka_unit_test(the_list_is_the_kernels),
        cmocka_unit_test(a_kernel_without_the_list_is_not_one_without_timers),
    };
    if (probe_resources_start() != 0) {
        puts("left out: nothing is noted in this build, or libunwind is not there");
        return EXIT_SUCCESS;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
