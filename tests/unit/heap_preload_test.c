/*
 * Tests of the heap's figures in a program that is not ours: what is not known is not
 * made up.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "probe/heap/heap.h"
#include "probe/recorder/recorder.h"
#include "unit.h"

#define OTHER_MALLOC "libtcmalloc.so.4" /* the lab's servers are linked with it */
#define CHILD "with another allocator"

/* A sanitizer has the place of malloc, and bears no other allocator. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
static const bool sanitized = true;
#else
static const bool sanitized = false;
#endif

static void figures_of_the_c_library_are_known(void **state)
{
    (void)state;
    if (sanitized) {
        skip();
    }
    struct heap_figures figures;
    probe_heap_read_figures(&figures);
    assert_true(figures.known);
    assert_true(figures.system_known);
    assert_false(figures.counted);
    assert_string_equal(probe_heap_profile_name(), "off");
}

/* The program itself, with another malloc before the C library's. */
static void figures_of_another_allocator_are_not(void **state)
{
    (void)state;
    if (sanitized) {
        skip();
    }
    pid_t child = fork();
    if (child == 0) {
        setenv("LD_PRELOAD", OTHER_MALLOC, 1);
        execl("/proc/self/exe", CHILD, NULL);
        _exit(1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

/* What the child does: exits 0 if everything is as it should be. */
static int child_run(void)
{
    struct heap_figures figures;
    probe_heap_read_figures(&figures);
    if (figures.known || figures.system_known || figures.counted) {
        return 2;
    }
    if (probe_heap_start(HEAP_PROFILE_EXACT, 0) != 0) {
        return 3;
    }
    probe_heap_read_figures(&figures);
    return figures.known && figures.counted && !figures.system_known ? 0 : 4;
}

static void the_recorder_counts_what_is_reported(void **state)
{
    (void)state;
    char blocks[2];
    assert_int_equal(probe_heap_start(HEAP_PROFILE_EXACT, 0), 0);
    assert_string_equal(probe_heap_profile_name(), "exact");
    probe_recorder_allocated(&blocks[0], 1000);
    probe_recorder_allocated(&blocks[1], 24);
    probe_recorder_freed(&blocks[0]);
    struct heap_figures figures;
    probe_heap_read_figures(&figures);
    assert_true(figures.known && figures.counted);
    assert_int_equal(figures.in_use_bytes, 24);
    assert_int_equal(figures.total_bytes, 1024);
    assert_int_equal(figures.allocations, 2);
    assert_int_equal(figures.deallocations, 1);
    assert_int_equal(figures.live_objects, 1);
    struct heap_snapshot snapshot;
    struct heap_sums sums;
    assert_int_equal(probe_heap_snapshot(HEAP_VALUES_SCALED, &snapshot), 0);
    assert_int_equal(probe_heap_snapshot_sum(&snapshot, &sums), 0);
    assert_int_equal(sums.bytes, 24);
    assert_int_equal(sums.objects, 1);
    probe_heap_snapshot_release(&snapshot);
}

int main(int count, char **arguments)
{
    if (count > 0 && strcmp(arguments[0], CHILD) == 0) {
        return child_run();
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(figures_of_the_c_library_are_known),
        cmocka_unit_test(figures_of_another_allocator_are_not),
        cmocka_unit_test(the_recorder_counts_what_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
