/*
 * Tests of the process's figures: lines of any length that come in small parts between
 * signals, thousands of descriptors and of mappings, limits, and the start of the
 * process.
 */
#include "probe/figures/process_figures.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "probe/figures/proc_file.h"
#include "unit.h"

/* The linker sends each read of the probe's here (--wrap=read). */
ssize_t __real_read(int fd, void *data, size_t bytes);
ssize_t __wrap_read(int fd, void *data, size_t bytes);

static size_t read_most = SIZE_MAX; /* bytes that one read gives */
static bool interrupts;             /* a signal comes before every other read */
static int read_error;              /* every read fails so */

ssize_t __wrap_read(int fd, void *data, size_t bytes)
{
    static bool interrupted;
    interrupted = interrupts && !interrupted;
    if (interrupted || read_error != 0) {
        errno = interrupted ? EINTR : read_error;
        return -1;
    }
    return __real_read(fd, data, bytes < read_most ? bytes : read_most);
}

/* The linker sends each opening of a file here (--wrap=open). */
int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);

static const char *missing = ""; /* a file that this kernel does not have */

int __wrap_open(const char *path, int flags, ...)
{
    if (strcmp(path, missing) == 0) {
        errno = ENOENT;
        return -1;
    }
    return __real_open(path, flags);
}

static int calm(void **state)
{
    (void)state;
    missing = "";
    read_most = SIZE_MAX;
    interrupts = false;
    read_error = 0;
    return 0;
}

/* A file with this text, which is gone when it is closed. */
static void file_with(struct proc_file *file, const char *text, size_t length)
{
    char path[] = "/tmp/proc_file_XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, length), length);
    close(fd);
    char from_proc[256];
    snprintf(from_proc, sizeof(from_proc), "..%s", path);
    assert_int_equal(probe_proc_file_open(file, from_proc), 0);
    unlink(path);
}

static void lines_come_whole_however_they_are_read(void **state)
{
    (void)state;
    static const char text[] = "first: 1\n\nthird\nno newline";
    static const size_t parts[] = {1, 2, 5, SIZE_MAX};
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        read_most = parts[i];
        interrupts = true;
        struct proc_file file;
        file_with(&file, text, sizeof(text) - 1);
        assert_string_equal(probe_proc_file_line(&file), "first: 1");
        assert_string_equal(probe_proc_file_line(&file), "");
        assert_string_equal(probe_proc_file_line(&file), "third");
        assert_null(probe_proc_file_line(&file));
        assert_null(probe_proc_file_line(&file));
        assert_int_equal(file.error, 0);
        probe_proc_file_close(&file);
    }
}

static void a_line_that_does_not_fit_is_left_out(void **state)
{
    (void)state;
    static char text[3 * PROC_FILE_LINE_MAX];
    static const size_t lengths[] = {PROC_FILE_LINE_MAX - 1, PROC_FILE_LINE_MAX,
                                     PROC_FILE_LINE_MAX + 1,
                                     2 * PROC_FILE_LINE_MAX + 9};
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        memset(text, 'x', sizeof(text));
        memcpy(text, "a\n", 2);
        memcpy(text + 2 + lengths[i], "\nb\n", 3);
        struct proc_file file;
        file_with(&file, text, lengths[i] + 5);
        assert_string_equal(probe_proc_file_line(&file), "a");
        if (lengths[i] < PROC_FILE_LINE_MAX) {
            assert_int_equal(strlen(probe_proc_file_line(&file)), lengths[i]);
        }
        assert_string_equal(probe_proc_file_line(&file), "b");
        assert_null(probe_proc_file_line(&file));
        probe_proc_file_close(&file);
    }
}

static void a_failed_read_is_no_end(void **state)
{
    (void)state;
    struct process_figures figures;
    read_error = EIO;
    assert_int_equal(probe_process_read_figures(&figures), -EIO);
    read_error = 0;
    struct proc_file file;
    assert_int_equal(probe_proc_file_open(&file, "self/nothing"), -ENOENT);
}

static struct process_figures figures_now(void)
{
    struct process_figures figures;
    assert_int_equal(probe_process_read_figures(&figures), 0);
    return figures;
}

static struct process_counts counts_now(void)
{
    struct process_counts counts;
    probe_process_read_counts(&counts);
    return counts;
}

/* How many of the descriptors below `end` are open. */
static unsigned count_open(int end)
{
    unsigned count = 0;
    for (int fd = 0; fd < end; fd++) {
        count += fcntl(fd, F_GETFD) >= 0;
    }
    return count;
}

#define MANY 3000

static void thousands_of_descriptors_are_counted(void **state)
{
    (void)state;
    static int pairs[MANY][2];
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    rlim_t before = limit.rlim_cur;
    limit.rlim_cur = 3 * MANY;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0) {
        skip();
    }
    struct process_figures first = figures_now();
    assert_int_equal(first.fds, count_open(3 * MANY));
    for (size_t i = 0; i < MANY; i++) {
        int type = i % 3 == 0 ? 0 : SOCK_STREAM;
        int error = type == 0 ? pipe(pairs[i]) : socketpair(AF_UNIX, type, 0, pairs[i]);
        assert_int_equal(error, 0);
    }
    struct process_figures second = figures_now();
    assert_int_equal(second.fds - first.fds, 2 * MANY);
    assert_int_equal(second.sockets - first.sockets, 2 * (MANY - MANY / 3));
    assert_int_equal(second.fds_most, 3 * MANY);
    for (size_t i = 0; i < MANY; i++) {
        close(pairs[i][0]);
        close(pairs[i][1]);
    }
    assert_int_equal(figures_now().fds, first.fds);
    limit.rlim_cur = before;
    setrlimit(RLIMIT_NOFILE, &limit);
}

static void figures_are_those_of_this_process(void **state)
{
    (void)state;
    interrupts = true;
    struct process_figures figures = figures_now();
    assert_int_equal(figures.threads, 1);
    assert_int_equal(figures.timers, 0);
    assert_true(figures.rss_bytes > 100000);
    assert_true(figures.peak_rss_bytes >= figures.rss_bytes);
    assert_true(figures.virtual_bytes > figures.rss_bytes);
    assert_true(figures.virtual_bytes_most >= figures.virtual_bytes);
    struct timespec cpu;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
    int64_t cpu_ns = cpu.tv_sec * CLOCK_NS_PER_SECOND + cpu.tv_nsec;
    assert_in_range(figures.cpu_ns, 1, cpu_ns);

    timer_t timer;
    struct sigevent none = {.sigev_notify = SIGEV_NONE};
    assert_int_equal(timer_create(CLOCK_MONOTONIC, &none, &timer), 0);
    assert_int_equal(figures_now().timers, 1);
    timer_delete(timer);
}

static void timers_that_this_kernel_does_not_list_are_not_zero(void **state)
{
    (void)state;
    assert_true(figures_now().timers_counted);
    missing = "/proc/self/timers";
    assert_false(figures_now().timers_counted);
}

#define PAGES 3000

static void thousands_of_mappings_are_counted(void **state)
{
    (void)state;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *pages = mmap(NULL, (PAGES + 1) * page, PROT_NONE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    assert_true(pages != MAP_FAILED);
    unsigned first = counts_now().mappings;
    for (size_t i = 1; i < PAGES; i += 2) {
        assert_int_equal(mprotect(pages + i * page, page, PROT_READ), 0);
    }
    read_most = 1000; /* lines come in two parts */
    interrupts = true;
    assert_int_equal(counts_now().mappings, first + PAGES);
    calm(NULL);
    munmap(pages, (PAGES + 1) * page);
    /* A sanitizer has mapped some for itself meanwhile. */
    assert_true(counts_now().mappings < first + PAGES / 2);
    assert_int_equal(counts_now().children, 0);
    assert_true(counts_now().children_counted);
}

static void mappings_that_cannot_be_read_are_not_zero(void **state)
{
    (void)state;
    assert_true(counts_now().mappings_counted);
    missing = "/proc/thread-self/maps";
    assert_false(counts_now().mappings_counted);
    missing = "";
    read_error = EIO;
    assert_false(counts_now().mappings_counted);
    assert_false(counts_now().children_counted);
}

static void the_start_is_a_moment_ago(void **state)
{
    (void)state;
    interrupts = true;
    int64_t started_ns = 0;
    assert_int_equal(probe_process_read_start(&started_ns), 0);
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    int64_t age_ns = now.tv_sec * CLOCK_NS_PER_SECOND + now.tv_nsec - started_ns;
    assert_true(age_ns > -20 * CLOCK_NS_PER_MS); /* the kernel counts in ticks */
    assert_true(age_ns < 100 * CLOCK_NS_PER_SECOND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(lines_come_whole_however_they_are_read, calm),
        cmocka_unit_test_teardown(a_line_that_does_not_fit_is_left_out, calm),
        cmocka_unit_test_teardown(a_failed_read_is_no_end, calm),
        cmocka_unit_test_teardown(thousands_of_descriptors_are_counted, calm),
        cmocka_unit_test_teardown(figures_are_those_of_this_process, calm),
        cmocka_unit_test_teardown(timers_that_this_kernel_does_not_list_are_not_zero,
                                  calm),
        cmocka_unit_test_teardown(thousands_of_mappings_are_counted, calm),
        cmocka_unit_test_teardown(mappings_that_cannot_be_read_are_not_zero, calm),
        cmocka_unit_test_teardown(the_start_is_a_moment_ago, calm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
