/*
 * Tests of a profile that is written to a file of the user's: it is whole or not there,
 * nothing else is harmed, and the program never notices. The profile is one of the
 * tests' own.
 */
#include "probe/heap/heap_file.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "probe/heap/heap.h"
#include "probe/recorder/inside.h"
#include "proto_reader.h"
#include "unit.h"

static char directory[64];
static char path[100];
static int snapshot_error;     /* what the next snapshots fail with */
static unsigned snapshot_seen; /* probe_inside at the last snapshot */

/* In place of the implementations of heap.h. */
int probe_heap_snapshot(enum heap_values values, struct heap_snapshot *ret_snapshot)
{
    static const int64_t small[STACK_VALUES] = {3, 300, 2, 200};
    static const int64_t gone[STACK_VALUES] = {1, 50, 0, 0};
    assert_int_equal(values, HEAP_VALUES_SCALED);
    snapshot_seen = probe_inside;
    if (snapshot_error != 0) {
        return snapshot_error;
    }
    struct heap_snapshot snapshot = {.period = 1};
    uintptr_t frames[] = {(uintptr_t)probe_heap_snapshot + 1};
    uintptr_t others[] = {(uintptr_t)probe_heap_snapshot + 2};
    probe_stacks_add(&snapshot.stacks, frames, 1, small, NULL);
    probe_stacks_add(&snapshot.stacks, others, 1, gone, NULL);
    *ret_snapshot = snapshot;
    return 0;
}

static int directory_make(void **state)
{
    (void)state;
    snprintf(directory, sizeof(directory), "/tmp/heap-file-test-XXXXXX");
    bool made = mkdtemp(directory) != NULL;
    snprintf(path, sizeof(path), "%s/profile.pb", directory);
    snapshot_error = 0;
    return made ? 0 : -1;
}

/* Counts the entries of the directory; with `remove`, also removes them. */
static int entries(bool remove)
{
    DIR *opened = opendir(directory);
    assert_non_null(opened);
    int count = 0;
    struct dirent *entry;
    while ((entry = readdir(opened)) != NULL) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            count++;
            if (remove && unlinkat(dirfd(opened), entry->d_name, 0) != 0) {
                unlinkat(dirfd(opened), entry->d_name, AT_REMOVEDIR);
            }
        }
    }
    closedir(opened);
    return count;
}

static int directory_remove(void **state)
{
    (void)state;
    entries(true);
    return rmdir(directory);
}

static void put(const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

static void assert_is_a_profile(void)
{
    static char data[100000];
    int fd = open(path, O_RDONLY);
    assert_true(fd >= 0);
    ssize_t length = read(fd, data, sizeof(data));
    close(fd);
    assert_in_range(length, 100, sizeof(data) - 1);
    struct buffer whole = {.data = data, .length = (size_t)length};
    struct profile_sample sample;
    assert_true(profile_sample_in(proto_of(&whole), 0, "probe_heap_snapshot", &sample));
    assert_int_equal(sample.values[HEAP_INUSE_SPACE], 200);
}

static void the_profile_is_written_with_its_sums(void **state)
{
    (void)state;
    struct heap_sums sums;
    assert_int_equal(probe_heap_write_file(path, NULL, &sums), 0);
    assert_int_equal(sums.objects, 2);
    assert_int_equal(sums.bytes, 200);
    assert_int_equal(sums.stacks, 1);
    assert_is_a_profile();
    assert_int_equal(entries(false), 1);
}

/* What it allocates for itself is not the program's. */
static void nothing_is_recorded_meanwhile(void **state)
{
    (void)state;
    struct heap_sums sums;
    assert_int_equal(probe_heap_write_file(path, NULL, &sums), 0);
    assert_int_equal(snapshot_seen, 1);
    assert_int_equal(probe_inside, 0);
}

static void an_earlier_file_is_replaced(void **state)
{
    (void)state;
    put("earlier");
    struct heap_sums sums;
    assert_int_equal(probe_heap_write_file(path, NULL, &sums), 0);
    assert_is_a_profile();
    assert_int_equal(entries(false), 1);
}

static void what_is_no_regular_file_stays(void **state)
{
    (void)state;
    struct heap_sums sums;
    struct stat there;
    assert_int_equal(symlink("/dev/null", path), 0);
    assert_int_equal(probe_heap_write_file(path, NULL, &sums), -EEXIST);
    assert_int_equal(lstat(path, &there), 0);
    assert_true(S_ISLNK(there.st_mode));
    unlink(path);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(probe_heap_write_file(path, NULL, &sums), -EEXIST);
    assert_int_equal(lstat(path, &there), 0);
    assert_true(S_ISFIFO(there.st_mode));
    unlink(path);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(probe_heap_write_file(path, NULL, &sums), -EEXIST);
    assert_int_equal(entries(false), 1);
}

static void no_profile_changes_no_file(void **state)
{
    (void)state;
    struct heap_sums sums;
    put("earlier");
    snapshot_error = -ENOTSUP;
    assert_int_equal(probe_heap_write_file(path, NULL, &sums), -ENOTSUP);
    struct stat there;
    assert_int_equal(stat(path, &there), 0);
    assert_int_equal(there.st_size, 7);
    assert_int_equal(entries(false), 1);
}

static void a_missing_directory_is_an_error(void **state)
{
    (void)state;
    struct heap_sums sums;
    static char far[PATH_MAX + 10];
    snprintf(far, sizeof(far), "%s/none/x", directory);
    assert_int_equal(probe_heap_write_file(far, NULL, &sums), -ENOENT);
    memset(far, 'x', sizeof(far) - 1);
    assert_int_equal(probe_heap_write_file(far, NULL, &sums), -ENAMETOOLONG);
}

/* In a process of its own, whose limit is low. Exits 0 if the call fails with `error`,
 * and SIGXFSZ does not end the process. */
static int write_in_child(int resource, rlim_t most, int error)
{
    pid_t child = fork();
    if (child == 0) {
        struct heap_sums sums;
        struct rlimit limit = {most, most};
        setrlimit(resource, &limit);
        int failed = probe_heap_write_file(path, NULL, &sums);
        sigset_t pending;
        sigpending(&pending);
        raise(SIGCONT); /* a signal that is waiting would come now */
        _exit(failed == error && sigismember(&pending, SIGXFSZ) == 0 ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void a_file_over_the_limit_ends_nothing(void **state)
{
    (void)state;
    put("earlier");
    assert_int_equal(write_in_child(RLIMIT_FSIZE, 100, -EFBIG), 0);
    assert_int_equal(entries(false), 1);
}

static void without_descriptors_it_says_so(void **state)
{
    (void)state;
    assert_int_equal(write_in_child(RLIMIT_NOFILE, 3, -EMFILE), 0);
    assert_int_equal(entries(false), 0);
}

/* A signal that waited before still waits. */
static void a_signal_of_the_program_is_left_to_it(void **state)
{
    (void)state;
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGXFSZ);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    raise(SIGXFSZ);
    struct heap_sums sums;
    assert_int_equal(probe_heap_write_file(path, NULL, &sums), 0);
    sigset_t now;
    pthread_sigmask(SIG_BLOCK, NULL, &now);
    assert_true(sigismember(&now, SIGXFSZ));
    struct timespec at_once = {0};
    assert_int_equal(sigtimedwait(&set, NULL, &at_once), SIGXFSZ);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

#define IN_DIRECTORY(test)                                                             \
    cmocka_unit_test_setup_teardown(test, directory_make, directory_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_DIRECTORY(without_descriptors_it_says_so),
        IN_DIRECTORY(the_profile_is_written_with_its_sums),
        IN_DIRECTORY(nothing_is_recorded_meanwhile),
        IN_DIRECTORY(an_earlier_file_is_replaced),
        IN_DIRECTORY(what_is_no_regular_file_stays),
        IN_DIRECTORY(no_profile_changes_no_file),
        IN_DIRECTORY(a_missing_directory_is_an_error),
        IN_DIRECTORY(a_file_over_the_limit_ends_nothing),
        IN_DIRECTORY(a_signal_of_the_program_is_left_to_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
