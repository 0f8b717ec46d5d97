/*
 * Tests of dump files: each gets its own number, existing files are never changed, and
 * a failed dump leaves no file.
 */
#include "probe/heap/dump_file.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unit.h"

static char directory[64];
static char path[PATH_MAX];

static int directory_make(void **state)
{
    (void)state;
    snprintf(directory, sizeof(directory), "/tmp/dump-file-test-XXXXXX");
    return mkdtemp(directory) == NULL ? -1 : 0;
}

/* Counts the files; with `remove`, also removes them. */
static int files(bool remove)
{
    DIR *entries = opendir(directory);
    assert_non_null(entries);
    int count = 0;
    struct dirent *entry;
    while ((entry = readdir(entries)) != NULL) {
        if (entry->d_name[0] != '.') {
            count++;
            if (remove) {
                assert_int_equal(unlinkat(dirfd(entries), entry->d_name, 0), 0);
            }
        }
    }
    closedir(entries);
    return count;
}

static int directory_remove(void **state)
{
    (void)state;
    files(true);
    return rmdir(directory);
}

static const char *at(const char *file)
{
    static char whole[PATH_MAX];
    snprintf(whole, sizeof(whole), "%s/%s", directory, file);
    return whole;
}

static void put(const char *file, const char *text)
{
    FILE *stream = fopen(at(file), "w");
    assert_non_null(stream);
    fputs(text, stream);
    int closed = fclose(stream); /* the macro below names its argument twice */
    assert_int_equal(closed, 0);
}

static void assert_holds(const char *file, const char *text)
{
    char got[64] = "";
    FILE *stream = fopen(at(file), "r");
    assert_non_null(stream);
    size_t length = fread(got, 1, sizeof(got) - 1, stream);
    got[length] = '\0';
    fclose(stream);
    assert_string_equal(got, text);
}

/* Writes a dump and checks its name. */
static void assert_dumps(const char *file)
{
    assert_int_equal(
        probe_dump_file_write(directory, "leaky", "text\n", 5, path, sizeof(path)), 0);
    assert_string_equal(path, at(file));
    assert_holds(file, "text\n");
}

static void numbers_go_on_after_the_highest(void **state)
{
    (void)state;
    assert_dumps("leaky.0001.heap");
    assert_dumps("leaky.0002.heap");
    assert_int_equal(unlink(at("leaky.0001.heap")), 0);
    assert_dumps("leaky.0003.heap");
    put("leaky.9999.heap", "old");
    assert_dumps("leaky.10000.heap");
    assert_dumps("leaky.10001.heap");
    assert_holds("leaky.9999.heap", "old");
}

static void other_names_do_not_count(void **state)
{
    (void)state;
    static const char *const names[] = {
        "fixed.0007.heap",
        "leaky.0007.heap.bak",
        "leaky.7.heap",
        "leaky.-007.heap",
        "leaky.+007.heap",
        "leaky.007a.heap",
        "leaky.00007.heap",
        "leaky.0000.heap",
        "leaky..heap",
        "leaky..0007.heap",
        "leaky",
        "leaky2.0007.heap",
        "xleaky.0007.heap",
        "leaky.0007",
        "leaky. 007.heap",
        "leaky.0x7f.heap",
        "leaky.18446744073709551615.heap",
        "leaky.1000000000.heap",
    };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        put(names[i], "other");
    }
    assert_dumps("leaky.0001.heap");
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        assert_holds(names[i], "other");
    }
}

/* A file with the highest counted number. The next name has one digit more and is not
 * counted, but it is not overwritten either. */
static void the_end_of_the_numbers(void **state)
{
    (void)state;
    put("leaky.999999999.heap", "last");
    assert_dumps("leaky.1000000000.heap");
    assert_dumps("leaky.1000000001.heap");
    assert_holds("leaky.999999999.heap", "last");
}

/* All numbers that are too high to be counted are taken: the search must stop. */
static void trying_has_an_end(void **state)
{
    (void)state;
    put("leaky.999999999.heap", "last");
    for (unsigned long number = 1000000000; number < 1000001000; number++) {
        char name[64];
        snprintf(name, sizeof(name), "leaky.%lu.heap", number);
        put(name, "taken");
    }
    int before = files(false);
    assert_int_equal(
        probe_dump_file_write(directory, "leaky", "x", 1, path, sizeof(path)), -EEXIST);
    assert_int_equal(files(false), before);
}

static void links_are_not_followed(void **state)
{
    (void)state;
    assert_int_equal(symlink("target", at("leaky.1000000000.heap")), 0);
    put("victim", "mine");
    assert_int_equal(symlink("victim", at("leaky.1000000001.heap")), 0);
    put("leaky.999999999.heap", "last");
    assert_dumps("leaky.1000000002.heap");
    assert_int_equal(access(at("target"), F_OK), -1);
    assert_holds("victim", "mine");
}

static void what_cannot_be_written_leaves_nothing(void **state)
{
    (void)state;
    put("leaky.0001.heap", "old");
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit little = {.rlim_cur = 4096, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &little), 0);
    static char text[10000];
    memset(text, 'x', sizeof(text));
    int error = probe_dump_file_write(directory, "leaky", text, sizeof(text), path,
                                      sizeof(path));
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(error, -EFBIG);
    assert_int_equal(files(false), 1);
    assert_holds("leaky.0001.heap", "old");
    assert_dumps("leaky.0002.heap");
}

static void missing_directory_is_an_error(void **state)
{
    (void)state;
    assert_int_equal(
        probe_dump_file_write(at("none"), "leaky", "x", 1, path, sizeof(path)),
        -ENOENT);
    put("file", "");
    assert_int_equal(
        probe_dump_file_write(at("file"), "leaky", "x", 1, path, sizeof(path)),
        -ENOTDIR);
}

enum { WRITERS = 8, DUMPS = 50 };

static atomic_int failures;

static void *write_many(void *argument)
{
    (void)argument;
    for (int i = 0; i < DUMPS; i++) {
        char own[PATH_MAX];
        if (probe_dump_file_write(directory, "leaky", "text\n", 5, own, sizeof(own)) !=
            0) {
            atomic_fetch_add(&failures, 1);
        }
    }
    return NULL;
}

static void many_at_once_get_files_of_their_own(void **state)
{
    (void)state;
    pthread_t threads[WRITERS];
    for (int i = 0; i < WRITERS; i++) {
        threads[i] = unit_thread(write_many, NULL);
    }
    for (int i = 0; i < WRITERS; i++) {
        unit_join(threads[i]);
    }
    assert_int_equal(atomic_load(&failures), 0);
    assert_int_equal(files(false), WRITERS * DUMPS);
    assert_holds("leaky.0400.heap", "text\n");
}

#define IN_DIRECTORY(test)                                                             \
    cmocka_unit_test_setup_teardown(test, directory_make, directory_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_DIRECTORY(numbers_go_on_after_the_highest),
        IN_DIRECTORY(other_names_do_not_count),
        IN_DIRECTORY(the_end_of_the_numbers),
        IN_DIRECTORY(trying_has_an_end),
        IN_DIRECTORY(links_are_not_followed),
        IN_DIRECTORY(what_cannot_be_written_leaves_nothing),
        IN_DIRECTORY(missing_directory_is_an_error),
        IN_DIRECTORY(many_at_once_get_files_of_their_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
