/*
 * Tests of reading a program's own file: addresses get names if the profile's mappings
 * fit the file, and a reason if not. The program file is this test.
 */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "leakcheck/measure/binary.h"
#include "leakcheck/measure/profile_parse.h"

/* ThreadSanitizer maps its own files below the program, so the program's mapping is not
 * the first one, and this test cannot work. */
#if defined(__SANITIZE_THREAD__)
#define PROGRAM_IS_FIRST false
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define PROGRAM_IS_FIRST false
#endif
#endif
#ifndef PROGRAM_IS_FIRST
#define PROGRAM_IS_FIRST true
#endif

static const char *own_path;

/* The address of the call of this function. */
static __attribute__((noinline)) uint64_t here(void)
{
    return (uint64_t)(uintptr_t)__builtin_return_address(0) - 1;
}

/* Returns an address inside itself, and the line that it belongs to. */
static __attribute__((noinline)) uint64_t payload_keep(unsigned *ret_line)
{
    *ret_line = __LINE__ + 1;
    uint64_t address = here();
    return address;
}

/* A profile with the mappings of this process. */
static void own_profile(struct profile *ret_profile)
{
    static const char start[] =
        "heap profile: 0: 0 [0: 0] @ heapprofile\n\nMAPPED_LIBRARIES:\n";
    static char text[256 * 1024];
    size_t length = strlen(start);
    memcpy(text, start, length);
    FILE *maps = fopen("/proc/self/maps", "r");
    assert_non_null(maps);
    length += fread(text + length, 1, sizeof(text) - length, maps);
    fclose(maps);
    struct failure failure = {""};
    assert_int_equal(profile_parse_heap(ret_profile, text, length, &failure), 0);
}

static void own_functions_are_named(void **state)
{
    (void)state;
    struct profile profile;
    struct failure failure = {""};
    unsigned line;
    if (!PROGRAM_IS_FIRST) {
        skip();
    }
    own_profile(&profile);
    struct frame frames[3] = {{.address = payload_keep(&line)},
                              {.address = payload_keep(&line), .function = "known"},
                              {.address = (uint64_t)(uintptr_t)&puts}};
    /* The address of a library's function may be that of a stub in the program. */
    bool foreign = !profile_in_program(&profile, frames[2].address);
    assert_int_equal(binary_name(own_path, &profile, frames, 3, &failure), 0);
    assert_string_equal(frames[0].function, "payload_keep");
    assert_non_null(frames[0].file);
    assert_non_null(strstr(frames[0].file, "unit/judge_binary_test.c"));
    assert_int_equal(frames[0].line, line);
    assert_string_equal(frames[1].function, "known");
    assert_int_equal(frames[1].line, frames[0].line);
    if (foreign) {
        assert_null(frames[2].function);
        assert_null(frames[2].file);
    }
    profile_release(&profile);
}

static int refused(const char *path, struct profile *profile, const char *reason)
{
    unsigned line;
    struct frame frame = {.address = payload_keep(&line)};
    struct failure failure = {""};
    int result = binary_name(path, profile, &frame, 1, &failure);
    assert_null(frame.function);
    assert_null(frame.file);
    assert_non_null(strstr(failure.text, reason));
    return result;
}

static void other_files_name_nothing(void **state)
{
    (void)state;
    struct profile profile;
    own_profile(&profile);
    assert_int_equal(refused("/nowhere/at/all", &profile, "cannot read"), -ENOENT);
    assert_int_equal(refused("/", &profile, "is no program"), -EINVAL);
    assert_int_equal(refused("/dev/null", &profile, "is no program"), -EINVAL);
    assert_int_equal(refused("/etc/passwd", &profile, "is no program"), -EINVAL);
    assert_int_equal(refused("/bin/sh", &profile, "does not fit"), -EINVAL);
    profile_release(&profile);
}

/* A process with other mappings, of another part or another size, runs another file. */
static void other_mappings_are_refused(void **state)
{
    (void)state;
    struct profile profile;
    unsigned line;
    uint64_t address = payload_keep(&line);
    own_profile(&profile);
    size_t at = (size_t)(profile_mapping(&profile, address) - profile.mappings);
    struct mapping *mapping = &profile.mappings[at];
    mapping->offset += 4096;
    assert_int_equal(refused(own_path, &profile, "does not fit"), -EINVAL);
    mapping->offset -= 4096;
    mapping->start -= 4096;
    assert_int_equal(refused(own_path, &profile, "does not fit"), -EINVAL);
    mapping->start += 4096;
    profile.mapping_count = at;
    assert_int_equal(refused(own_path, &profile, "does not fit"), -EINVAL);
    profile_release(&profile);
}

int main(int argc, char **argv)
{
    (void)argc;
    own_path = argv[0];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(own_functions_are_named),
        cmocka_unit_test(other_files_name_nothing),
        cmocka_unit_test(other_mappings_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
