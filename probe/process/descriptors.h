/*
 * The descriptors that the probe keeps open, and files of /proc. In a program that is
 * not ours they have high numbers, out of the program's way, and are protected: the
 * program's close finds them here.
 */
#ifndef PROBE_PROCESS_DESCRIPTORS_H
#define PROBE_PROCESS_DESCRIPTORS_H

#include <stdbool.h>
#include <sys/types.h>

/* From now on kept descriptors are moved to numbers from `from` on, and /proc is kept
 * open itself: its files can then be opened after a chroot. Returns 0 or -errno. In the
 * servers this is not called: there descriptors keep their numbers. */
int probe_descriptors_protect(int from);

/* Where they are moved to; 0 if they are not. */
int probe_descriptors_from(void);

/* Moves a descriptor to a number from `from` on, with close-on-exec; if RLIMIT_NOFILE
 * does not allow that, to the highest free number below, and at worst leaves it where
 * it is. Returns its number, or -errno with `fd` closed. */
int probe_descriptor_move(int fd, int from);

/* Keeps a descriptor: moves it where that is wanted, with close-on-exec, and notes it.
 * Returns its new number; -errno, with `fd` closed, if it cannot be moved. -errno as
 * `fd` is passed on.
 */
int probe_descriptor_keep(int fd);

/* A kept descriptor and what it was opened as: the program may have closed it, and the
 * number may even be another one of the probe's by now. */
struct kept_file {
    int fd; /* -1: none */
    dev_t device;
    ino_t inode;
};

/* Keeps `fd` (or passes on an -errno) as this file. Returns 0 or -errno. */
int probe_kept_file_set(struct kept_file *file, int fd);

/* Whether it is still there. */
bool probe_kept_file_check(const struct kept_file *file);

/* Closes it, if it is there. */
void probe_kept_file_close(struct kept_file *file);

/* Closes a descriptor that is kept; does nothing if it is another file by now, or
 * negative. */
void probe_descriptor_close(int fd);

/* Forgets a kept number that is no longer the probe's, because the program has closed
 * it with a system call of its own. */
void probe_descriptor_forget(int fd);

/* Whether this number is one of the probe's, and still the same file. May be called
 * from a signal handler; keeps errno. */
bool probe_descriptor_is_kept(int fd);

/* The smallest kept number from `from` on; -1: none. */
int probe_descriptor_next(int from);

/* Opens a file or directory of /proc: "self/timers". What threads share, such as "maps"
 * and "status", is to be asked of "thread-self": "self" has nothing of it any more when
 * the main thread has ended and others go on. Returns a descriptor with close-on-exec,
 * or -errno. */
int probe_proc_open(const char *path, int flags);

/* Whether /proc has the numbers of processes and threads that this process knows them
 * by: 0; or -ESRCH if it is that of another namespace (pid_namespaces(7)). */
int probe_proc_check(void);

/* Opens what /proc says of the main thread's descriptors, "fd" or "fdinfo/3"; or, when
 * that has ended and has none any more, of the calling thread's: the same ones, unless
 * a thread has left the others' table (unshare(2)). Returns as the function above. */
int probe_proc_fd_open(const char *path, int flags);

#endif
