/*
 * Tests of the kinds of mappings, by lines of /proc/PID/maps.
 */
#include "probe/resources/mapping_kind.h"

#include <string.h>

#include "unit.h"

#define RW "7f0000000000-7f0000001000 rw-p 00000000 00:00 0 "
#define SHARED "7f0000000000-7f0000001000 rw-s 00000000 00:01 5 "

/* The kind of the first of these lines. */
static const char *kind_of(const char *text)
{
    struct maps_line line;
    const char *next = probe_maps_line_read(text, &line);
    assert_non_null(next);
    return probe_mapping_kind(&line, probe_mapping_is_code(&line, next));
}

static void kinds_are_the_kernels_words(void **state)
{
    (void)state;
    assert_string_equal(kind_of(RW "\n"), "anonymous");
    assert_string_equal(kind_of(RW "[anon:jit code]\n"), "anonymous");
    assert_string_equal(kind_of(RW "[heap]\n"), "heap");
    assert_string_equal(kind_of(RW "[stack]\n"), "stack");
    assert_string_equal(kind_of(RW "[vvar_vclock]\n"), "vdso");
    assert_string_equal(kind_of(RW "/tmp/table\n"), "file");
    assert_string_equal(kind_of(SHARED "\n"), "shared");
    assert_string_equal(kind_of(SHARED "/dev/zero (deleted)\n"), "shared");
    assert_string_equal(kind_of(SHARED "/SYSV00000000 (deleted)\n"), "shared");
    assert_string_equal(kind_of(SHARED "/dev/shm/box\n"), "shared");
    assert_string_equal(kind_of(SHARED "[anon_shmem:box]\n"), "shared");
    assert_string_equal(kind_of(SHARED "/memfd:box (deleted)\n"), "memfd");
    assert_string_equal(kind_of(SHARED "/dev/dri/card0\n"), "device");
    assert_string_equal(kind_of(SHARED "anon_inode:[io_uring]\n"), "device");
}

static void a_library_is_a_file_with_code(void **state)
{
    (void)state;
    const char *library = "7f0000000000-7f0000001000 r--p 00000000 08:01 7 /lib/x.so\n"
                          "7f0000001000-7f0000002000 r-xp 00001000 08:01 7 /lib/x.so\n"
                          "7f0000002000-7f0000003000 rw-p 00002000 08:01 7 /lib/x.so\n";
    const char *file = "7f0000000000-7f0000001000 r--p 00000000 08:01 7 /lib/x.so.dat\n"
                       "7f0000001000-7f0000002000 r-xp 00001000 08:01 8 /lib/x.so\n";
    assert_string_equal(kind_of(library), "library");
    assert_string_equal(kind_of(strchr(library, '\n') + 1), "library");
    assert_string_equal(kind_of(file), "file");
}

static void what_the_kernel_has_made_is_told(void **state)
{
    (void)state;
    struct maps_line line;
    probe_maps_line_read(RW "[stack]\n", &line);
    assert_true(probe_mapping_is_kernels(&line));
    probe_maps_line_read(RW "[vdso]\n", &line);
    assert_true(probe_mapping_is_kernels(&line));
    probe_maps_line_read(RW "[heap]\n", &line);
    assert_false(probe_mapping_is_kernels(&line));
    assert_true(probe_mapping_is_brk(&line));
    probe_maps_line_read(RW "/tmp/[stack]\n", &line);
    assert_false(probe_mapping_is_kernels(&line));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kinds_are_the_kernels_words),
        cmocka_unit_test(a_library_is_a_file_with_code),
        cmocka_unit_test(what_the_kernel_has_made_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
