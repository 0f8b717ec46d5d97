#include "probe/locks/lock_futex.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Reads the start of a file of the thread. Returns 0 or -errno. */
static int file_read(int task_fd, pid_t tid, const char *name, char *ret_text,
                     size_t size)
{
    char path[64];
    snprintf(path, sizeof(path), "%d/%s", (int)tid, name);
    int fd = openat(task_fd, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return -errno;
    }
    ssize_t got;
    do {
        got = read(fd, ret_text, size - 1);
    } while (got < 0 && errno == EINTR);
    int error = got < 0 ? -errno : 0;
    close(fd);
    ret_text[got < 0 ? 0 : got] = '\0';
    return error;
}

/* "running"; "202 0x7f.. 0x80 ..." with the call's number and its arguments; or "-1
 * ...", outside of a call. */
enum lock_seen probe_lock_seen_in(const char *text, struct range lock)
{
    char *rest;
    long call = strtol(text, &rest, 10);
    if (rest == text || call < 0) {
        return LOCK_SEEN_RUNNING;
    }
    uintptr_t word = call == SYS_futex ? strtoull(rest, NULL, 16) : 0;
    return word >= lock.start && word < lock.end ? LOCK_SEEN_THERE : LOCK_SEEN_ELSE;
}

enum lock_seen probe_lock_seen(int task_fd, pid_t tid, struct range lock)
{
    char text[256];
    int error =
        task_fd < 0 ? task_fd : file_read(task_fd, tid, "syscall", text, sizeof(text));
    if (error == 0) {
        return probe_lock_seen_in(text, lock);
    }
    bool gone =
        error == -ESRCH || (error == -ENOENT && probe_lock_thread_ended(task_fd, tid));
    return gone ? LOCK_SEEN_GONE : LOCK_SEEN_UNKNOWN;
}

bool probe_lock_thread_ended(int task_fd, pid_t tid)
{
    char text[512];
    pid_t process = getpid();
    if (tgkill(process, tid, 0) != 0) {
        return errno == ESRCH;
    }
    if (tid != process || task_fd < 0 ||
        file_read(task_fd, tid, "stat", text, sizeof(text)) != 0) {
        return false;
    }
    const char *name_end = strrchr(text, ')');
    return name_end != NULL && strncmp(name_end, ") Z", 3) == 0;
}
