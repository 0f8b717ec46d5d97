/*
 * Tests of when figures are read anew, with a clock that the tests set.
 */
#include "probe/figures/figures.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "unit.h"

/* The linker sends every reading of a clock here (--wrap=clock_gettime). */
int __real_clock_gettime(clockid_t clock, struct timespec *ret_time);
int __wrap_clock_gettime(clockid_t clock, struct timespec *ret_time);

static int64_t since_start_ms; /* CLOCK_MONOTONIC is an hour and this */
static long set_seconds;       /* by how much CLOCK_REALTIME was set forward */

int __wrap_clock_gettime(clockid_t clock, struct timespec *ret_time)
{
    int result = __real_clock_gettime(clock, ret_time);
    if (clock == CLOCK_MONOTONIC) {
        ret_time->tv_sec = 3600 + since_start_ms / 1000;
        ret_time->tv_nsec = since_start_ms % 1000 * CLOCK_NS_PER_MS;
    } else if (clock == CLOCK_REALTIME) {
        ret_time->tv_sec += set_seconds;
    }
    return result;
}

static struct figures figures_after(int64_t ms)
{
    struct figures figures;
    since_start_ms += ms;
    assert_int_equal(probe_figures_read(&figures), 0);
    return figures;
}

static void figures_are_reused_for_ten_milliseconds(void **state)
{
    (void)state;
    struct figures first = figures_after(0);
    int fd = open("/dev/null", O_RDONLY);
    assert_true(fd >= 0);
    assert_int_equal(figures_after(10).process.fds, first.process.fds);
    assert_int_equal(figures_after(0).taken_ns, first.taken_ns);
    struct figures next = figures_after(1);
    assert_int_equal(next.process.fds, first.process.fds + 1);
    assert_int_equal(next.taken_ns - first.taken_ns, 11 * CLOCK_NS_PER_MS);
    close(fd);
}

static void counts_are_read_only_for_those_who_want_them(void **state)
{
    (void)state;
    struct figures first = figures_after(100);
    assert_false(first.counts.mappings_counted);
    struct figures all;
    since_start_ms += 5;
    assert_int_equal(probe_figures_read_all(&all), 0);
    assert_true(all.counts.mappings_counted && all.counts.mappings > 5);
    assert_true(all.counts.children_counted);
    assert_int_equal(all.taken_ns - first.taken_ns, 5 * CLOCK_NS_PER_MS);
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *pages = mmap(NULL, 3 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_int_equal(mprotect(pages + page, page, PROT_READ), 0);
    struct figures same;
    since_start_ms += 10;
    assert_int_equal(probe_figures_read_all(&same), 0);
    assert_int_equal(same.counts.mappings, all.counts.mappings);
    since_start_ms += 1;
    assert_int_equal(probe_figures_read_all(&same), 0);
    assert_true(same.counts.mappings > all.counts.mappings);
    assert_false(figures_after(11).counts.mappings_counted);
    munmap(pages, 3 * page);
}

static void the_start_stays_when_the_clock_is_set(void **state)
{
    (void)state;
    int64_t started_ns = figures_after(100).started_ns;
    assert_true(started_ns > 0);
    set_seconds = 3600;
    assert_int_equal(figures_after(100).started_ns, started_ns);
    set_seconds = 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(figures_are_reused_for_ten_milliseconds),
        cmocka_unit_test(counts_are_read_only_for_those_who_want_them),
        cmocka_unit_test(the_start_stays_when_the_clock_is_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
