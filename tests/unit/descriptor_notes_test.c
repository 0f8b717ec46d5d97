/*
 * Notes of descriptors: which number has one, and when it is given up. The functions of
 * the C library that this program calls are the probe's, as in the servers; where no
 * descriptor is needed, the notes are called directly, with any number.
 */
#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "probe/calls/calls.h"
#include "probe/recorder/inside.h"
#include "probe/recorder/stack_records.h"
#include "probe/resources/descriptor_notes.h"
#include "probe/resources/descriptor_view.h"
#include "probe/resources/resource_list.h"
#include "unit.h"

#define FREE 5000 /* numbers from here on are no descriptors */

static void make(int fd)
{
    probe_fd_made(fd, FD_FILE, __builtin_frame_address(0));
}

static bool has_note(int fd)
{
    return probe_fd_note(fd).word != 0;
}

static void what_is_opened_has_a_note_until_it_is_closed(void **state)
{
    (void)state;
    errno = 77;
    int fd = open("/dev/null", O_RDONLY);
    assert_int_equal(errno, 77);
    struct descriptor_note note = probe_fd_note(fd);
    assert_int_equal(note.kind, FD_FILE);
    assert_int_not_equal(note.note.stack, 0);
    uintptr_t caller = probe_record_at(note.note.stack)->frames[0];
    uintptr_t here = (uintptr_t)what_is_opened_has_a_note_until_it_is_closed;
    assert_true(caller > here && caller < here + 512);
    assert_int_equal(close(fd), 0);
    assert_false(has_note(fd));
}

static void any_number_may_have_one(void **state)
{
    (void)state;
    static const int numbers[] = {0,    1023, 1024,   3071,    3072,       7167,
                                  7168, 9999, 100000, 1048575, 1073741823, INT_MAX};
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        make(numbers[i]);
        /* Memory may be too short for the largest. */
        assert_true(has_note(numbers[i]) || numbers[i] > 1048575);
        probe_fd_gone(numbers[i]);
        assert_false(has_note(numbers[i]));
    }
    make(-1);
    make(INT_MIN);
    probe_fd_gone(-1);
    assert_false(has_note(-1));
}

static void a_range_is_forgotten_and_nothing_beside_it(void **state)
{
    (void)state;
    for (int fd = FREE; fd < FREE + 10; fd++) {
        make(fd);
    }
    probe_fds_closing(FREE + 3, FREE + 2, 0);
    probe_fds_closing(FREE, FREE + 9, CLOSE_RANGE_CLOEXEC);
    probe_fds_closing(FREE, FREE + 9, 1 << 20);
    assert_true(has_note(FREE) && has_note(FREE + 9));
    probe_fds_closing(FREE + 3, FREE + 5, 0);
    for (int fd = FREE; fd < FREE + 10; fd++) {
        assert_int_equal(has_note(fd), fd < FREE + 3 || fd > FREE + 5);
    }
    probe_fds_gone(FREE + 1, UINT_MAX);
    assert_true(has_note(FREE));
    assert_false(has_note(FREE + 9));
    probe_fd_gone(FREE);
}

static void a_copy_takes_the_place_or_nothing_changes(void **state)
{
    (void)state;
    make(FREE);
    uint64_t word = probe_fd_note(FREE).word;
    uint64_t taken = probe_fd_take(FREE);
    assert_false(has_note(FREE));
    probe_fd_copied(-1, FREE, -1, taken, NULL);
    assert_int_equal(probe_fd_note(FREE).word, word);
    assert_int_equal(dup2(-1, FREE), -1);
    assert_int_equal(probe_fd_note(FREE).word, word);
    probe_fd_gone(FREE);

    int fd = open("/dev/null", O_RDONLY);
    int copy = dup(fd);
    word = probe_fd_note(copy).word;
    assert_int_equal(dup2(copy, copy), copy);
    assert_int_equal(probe_fd_note(copy).word, word);
    assert_int_equal(dup2(fd, copy), copy);
    assert_int_not_equal(probe_fd_note(copy).word, word);
    assert_int_equal(probe_fd_note(copy).kind, FD_ANY);
    close(fd);
    close(copy);
}

static void a_stream_keeps_its_note_while_it_is_being_closed(void **state)
{
    (void)state;
    make(FREE);
    uint64_t word = probe_fd_note(FREE).word;
    probe_fd_closing(FREE);
    assert_true(probe_fd_note(FREE).closing);
    assert_int_equal(probe_fd_note(FREE).word, word);
    probe_fd_closed(FREE);
    assert_false(has_note(FREE));

    /* Another thread has got the number meanwhile. */
    make(FREE);
    probe_fd_closing(FREE);
    make(FREE);
    probe_fd_closed(FREE);
    assert_true(has_note(FREE));
    probe_fd_gone(FREE);
    probe_fd_closing(FREE);
    probe_fd_closed(FREE);
    assert_false(has_note(FREE));
}

static void only_the_note_that_was_seen_is_given_up(void **state)
{
    (void)state;
    make(FREE);
    uint64_t word = probe_fd_note(FREE).word;
    probe_fd_disbelieve(FREE, word ^ 1);
    assert_true(has_note(FREE));
    probe_fd_disbelieve(FREE, word);
    assert_false(has_note(FREE));
}

static void the_probe_makes_no_notes_but_its_ends_are_seen(void **state)
{
    (void)state;
    make(FREE);
    probe_inside++;
    make(FREE + 1);
    probe_fd_gone(FREE);
    probe_inside--;
    assert_false(has_note(FREE) || has_note(FREE + 1));
}

/* ---- Messages ---- */

struct control {
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(4 * sizeof(int))];
    } part;
    struct msghdr message;
};

static void control_fill(struct control *control, int type, const int *fds,
                         size_t count)
{
    memset(control, 0, sizeof(*control));
    control->message.msg_control = &control->part;
    control->message.msg_controllen = CMSG_SPACE(count * sizeof(int));
    struct cmsghdr *head = CMSG_FIRSTHDR(&control->message);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = type;
    head->cmsg_len = CMSG_LEN(count * sizeof(int));
    memcpy(CMSG_DATA(head), fds, count * sizeof(int));
}

static void received(const struct control *control, ssize_t result)
{
    probe_fds_received(result, &control->message, __builtin_frame_address(0));
}

static void what_comes_with_a_message_has_notes(void **state)
{
    (void)state;
    const int fds[] = {FREE, FREE + 1};
    struct control control;
    control_fill(&control, SCM_RIGHTS, fds, 2);
    received(&control, -1);
    assert_false(has_note(FREE));
    received(&control, 1);
    assert_true(has_note(FREE) && has_note(FREE + 1));
    assert_int_equal(probe_fd_note(FREE).kind, FD_ANY);
    probe_fds_gone(FREE, FREE + 1);

    control_fill(&control, SCM_CREDENTIALS, fds, 2);
    received(&control, 1);
    assert_false(has_note(FREE));
}

static void a_message_that_says_too_much_is_not_believed(void **state)
{
    (void)state;
    const int fds[] = {FREE, FREE + 1};
    struct control control;
    control_fill(&control, SCM_RIGHTS, fds, 2);
    control.part.head.cmsg_len = 3;
    received(&control, 1);
    control.part.head.cmsg_len = CMSG_LEN(0);
    received(&control, 1);
    control.message.msg_controllen = 4;
    received(&control, 1);
    control.message.msg_control = NULL;
    received(&control, 1);
    assert_false(has_note(FREE) || has_note(FREE + 1));
    probe_fds_received(1, NULL, NULL);
}

/* ---- Threads ---- */

static void *unshared_main(void *unused)
{
    assert_int_equal(close_range(UINT_MAX, UINT_MAX, CLOSE_RANGE_UNSHARE), 0);
    make(FREE + 1);
    probe_fds_gone(0, UINT_MAX);
    return unused;
}

static void a_thread_with_a_table_of_its_own_is_not_noted(void **state)
{
    (void)state;
    pthread_t thread;
    make(FREE);
    assert_int_equal(pthread_create(&thread, NULL, unshared_main, NULL), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_true(has_note(FREE));
    assert_false(has_note(FREE + 1));
    probe_fd_gone(FREE);
}

#define THREADS 4
#define ROUNDS 20000

static void *churn_main(void *argument)
{
    int first = FREE + 1000 * *(const int *)argument;
    for (int i = 0; i < ROUNDS; i++) {
        int fd = first + i % 200;
        make(fd);
        assert_true(has_note(fd));
        probe_fd_gone(fd);
        assert_false(has_note(fd));
    }
    return NULL;
}

/* Also chunks that none of them had before. */
static void threads_do_not_disturb_each_other(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    static int numbers[THREADS];
    for (int i = 0; i < THREADS; i++) {
        numbers[i] = i * 40;
        assert_int_equal(pthread_create(&threads[i], NULL, churn_main, &numbers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
}

/* ---- The list ---- */

static void the_list_has_what_the_kernel_has(void **state)
{
    (void)state;
    int pair[2];
    struct buffer numbers = {0};
    struct resource_list list = {0};
    int directory;
    assert_int_equal(pipe(pair), 0);
    make(FREE); /* of no descriptor: it is not in the list */
    assert_int_equal(probe_fd_numbers(&numbers, &directory), 0);
    close(directory);
    assert_int_equal(probe_fds.list(&list), 0);
    assert_int_equal(list.totals[0], numbers.length / sizeof(int));
    uint32_t stack = 0;
    int64_t items = 0;
    assert_true(probe_resource_list_largest(&list, &stack, &items));
    assert_int_equal(items, 2);
    assert_int_equal(stack, probe_fd_note(pair[0]).note.stack);
    probe_resource_list_release(&list);
    buffer_release(&numbers);
    probe_fd_gone(FREE);
    close(pair[0]);
    close(pair[1]);
}

static int start(void **state)
{
    (void)state;
    return probe_resources_start();
}

int main(void)
{
    if (probe_calls_prepare == NULL) {
        puts("descriptor_notes_test: a sanitizer stands in front of the C library");
        return 0;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_opened_has_a_note_until_it_is_closed),
        cmocka_unit_test(any_number_may_have_one),
        cmocka_unit_test(a_range_is_forgotten_and_nothing_beside_it),
        cmocka_unit_test(a_copy_takes_the_place_or_nothing_changes),
        cmocka_unit_test(a_stream_keeps_its_note_while_it_is_being_closed),
        cmocka_unit_test(only_the_note_that_was_seen_is_given_up),
        cmocka_unit_test(the_probe_makes_no_notes_but_its_ends_are_seen),
        cmocka_unit_test(what_comes_with_a_message_has_notes),
        cmocka_unit_test(a_message_that_says_too_much_is_not_believed),
        cmocka_unit_test(a_thread_with_a_table_of_its_own_is_not_noted),
        cmocka_unit_test(threads_do_not_disturb_each_other),
        cmocka_unit_test(the_list_has_what_the_kernel_has),
    };
    return cmocka_run_group_tests(tests, start, NULL);
}
