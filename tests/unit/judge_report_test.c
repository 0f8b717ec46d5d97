/*
 * Tests of the report files: an existing report survives a failure, and a file that is
 * not a regular one is written to and never replaced. Each test has its own directory.
 */
#include "unit.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "leakcheck/report/report_file.h"

struct place {
    char directory[64];
    char report[96];
};

static int place_make(void **state)
{
    struct place *place = calloc(1, sizeof(*place));
    assert_non_null(place);
    strcpy(place->directory, "/tmp/judge_report_test.XXXXXX");
    assert_non_null(mkdtemp(place->directory));
    snprintf(place->report, sizeof(place->report), "%s/report.html", place->directory);
    *state = place;
    return 0;
}

/* Returns the number of files in the directory; with `remove`, also removes them. */
static unsigned files_count(const struct place *place, bool remove)
{
    DIR *directory = opendir(place->directory);
    assert_non_null(directory);
    unsigned count = 0;
    struct dirent *entry;
    while ((entry = readdir(directory)) != NULL) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            count++;
            if (remove) {
                unlinkat(dirfd(directory), entry->d_name, 0);
            }
        }
    }
    closedir(directory);
    return count;
}

static int place_remove(void **state)
{
    struct place *place = *state;
    files_count(place, true);
    rmdir(place->directory);
    free(place);
    return 0;
}

static int report(const char *path, const char *text)
{
    struct failure failure = {""};
    int result = report_write(path, text, strlen(text), &failure);
    assert_true((result < 0) == (failure.text[0] != '\0'));
    return result;
}

static void assert_holds(const char *path, const char *text)
{
    char found[64] = "";
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    found[fread(found, 1, sizeof(found) - 1, file)] = '\0';
    fclose(file);
    assert_string_equal(found, text);
}

static mode_t rights(const char *path)
{
    struct stat about;
    assert_int_equal(lstat(path, &about), 0);
    return about.st_mode & 0777;
}

static void report_is_written_and_replaced(void **state)
{
    const struct place *place = *state;
    mode_t mask = umask(027);
    assert_int_equal(report(place->report, "old"), 0);
    umask(mask);
    assert_holds(place->report, "old");
    assert_int_equal(rights(place->report), 0640);
    assert_int_equal(chmod(place->report, 0604), 0);
    assert_int_equal(report(place->report, "new"), 0);
    assert_holds(place->report, "new");
    assert_int_equal(rights(place->report), 0604);
    assert_int_equal(files_count(place, false), 1);
}

/* A limit on file sizes takes the place of a full disk. */
static void old_report_survives(void **state)
{
    const struct place *place = *state;
    assert_int_equal(report(place->report, "old"), 0);
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    struct rlimit small = {.rlim_cur = 2, .rlim_max = limit.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    int result = report(place->report, "new and longer");
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    assert_int_equal(result, -EFBIG);
    assert_holds(place->report, "old");
    assert_int_equal(files_count(place, false), 1);
}

static void link_stays_a_link(void **state)
{
    const struct place *place = *state;
    char link[128];
    struct stat about;
    snprintf(link, sizeof(link), "%s/link", place->directory);
    assert_int_equal(report(place->report, "old and long"), 0);
    assert_int_equal(symlink("report.html", link), 0);
    assert_int_equal(report(link, "new"), 0);
    assert_int_equal(lstat(link, &about), 0);
    assert_true(S_ISLNK(about.st_mode));
    assert_holds(place->report, "new");
    /* A link to a full device. */
    assert_int_equal(unlink(link), 0);
    assert_int_equal(symlink("/dev/full", link), 0);
    assert_int_equal(report(link, "text"), -ENOSPC);
    assert_int_equal(lstat(link, &about), 0);
    assert_true(S_ISLNK(about.st_mode));
}

/* A device like /dev/full. If possible the test creates its own, because as root a
 * faulty program could remove the machine's. */
static const char *full_device(const struct place *place, char *path, size_t room)
{
    snprintf(path, room, "%s/full", place->directory);
    int fd = mknod(path, S_IFCHR | 0600, makedev(1, 7)) == 0
                 ? open(path, O_WRONLY | O_CLOEXEC)
                 : -1;
    if (fd < 0) {
        return "/dev/full";
    }
    close(fd);
    return path;
}

static void device_is_written_in_place(void **state)
{
    char path[128];
    const char *full = full_device(*state, path, sizeof(path));
    struct stat about;
    assert_int_equal(report(full, "text"), -ENOSPC);
    assert_int_equal(lstat(full, &about), 0);
    assert_true(S_ISCHR(about.st_mode));
}

static void fifo_is_written_in_place(void **state)
{
    const struct place *place = *state;
    char text[8] = "";
    assert_int_equal(mkfifo(place->report, 0600), 0);
    int reader = open(place->report, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    assert_true(reader >= 0);
    assert_int_equal(report(place->report, "text"), 0);
    assert_int_equal(read(reader, text, sizeof(text) - 1), 4);
    assert_string_equal(text, "text");
    close(reader);
    struct stat about;
    assert_int_equal(lstat(place->report, &about), 0);
    assert_true(S_ISFIFO(about.st_mode));
}

static void directories_are_refused(void **state)
{
    const struct place *place = *state;
    char path[128];
    assert_int_equal(report(place->directory, "text"), -EISDIR);
    snprintf(path, sizeof(path), "%s/nowhere/report.html", place->directory);
    assert_int_equal(report(path, "text"), -ENOENT);
    assert_int_equal(report("", "text"), -ENOENT);
    assert_int_equal(files_count(place, false), 0);
}

static void check_foresees_what_writing_says(void **state)
{
    const struct place *place = *state;
    struct failure failure = {""};
    char path[128];
    assert_int_equal(report_check(place->report, &failure), 0);
    assert_int_equal(files_count(place, false), 0);
    assert_int_equal(report_check("/dev/full", &failure), 0);
    assert_int_equal(report_check(place->directory, &failure), -EISDIR);
    assert_int_equal(report_check("", &failure), -ENOENT);
    snprintf(path, sizeof(path), "%s/nowhere/report.html", place->directory);
    assert_int_equal(report_check(path, &failure), -ENOENT);
    assert_non_null(strstr(failure.text, "nowhere/report.html: No such file"));
    assert_int_equal(report(place->report, "old"), 0);
    assert_int_equal(report_check(place->report, &failure), 0);
    assert_holds(place->report, "old");
    snprintf(path, sizeof(path), "%s/report.html/x", place->directory);
    assert_int_equal(report_check(path, &failure), -ENOTDIR);
    /* A link to a file that does not exist yet: only writing shows whether it works. */
    snprintf(path, sizeof(path), "%s/link", place->directory);
    assert_int_equal(symlink("later.html", path), 0);
    assert_int_equal(report_check(path, &failure), 0);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink(".", path), 0);
    assert_int_equal(report_check(path, &failure), -EISDIR);
}

#define IN_A_PLACE(test) cmocka_unit_test_setup_teardown(test, place_make, place_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_A_PLACE(report_is_written_and_replaced),
        IN_A_PLACE(old_report_survives),
        IN_A_PLACE(link_stays_a_link),
        IN_A_PLACE(device_is_written_in_place),
        IN_A_PLACE(fifo_is_written_in_place),
        IN_A_PLACE(directories_are_refused),
        IN_A_PLACE(check_foresees_what_writing_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
