/*
 * What a mutex or rwlock of the GNU C library says of itself. Source: its public
 * headers bits/struct_mutex.h, bits/struct_rwlock.h; the meaning of their members:
 * nptl/pthreadP.h, pthread_mutex_lock.c, pthread_rwlock_common.c.
 */
#ifndef PROBE_LOCKS_LOCK_STATE_H
#define PROBE_LOCKS_LOCK_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum lock_type { LOCK_NORMAL, LOCK_RECURSIVE, LOCK_ERRORCHECK, LOCK_ADAPTIVE };

/* The number that a lock can never have as its owner's. */
#define LOCK_OWNER_UNKNOWN (-1)

struct lock_state {
    bool readable; /* false: its memory is not there, or holds no lock any more, and
                      the rest is not known */
    enum lock_type type;
    bool robust;
    bool pi;          /* its owner inherits the priority of those who wait */
    pid_t owner;      /* of the mutex, or who writes; 0: nobody; LOCK_OWNER_UNKNOWN */
    unsigned readers; /* of a rwlock: those who have it, and those who wait to read */
    bool writing;     /* of a rwlock: somebody writes, or is about to */
};

/* How many bytes of the lock are its own. */
size_t probe_lock_bytes(bool is_rwlock);

/* Reads the lock through the kernel: its memory may be gone. Returns 0; or -errno: the
 * system lets nobody read memory this way. */
int probe_lock_state_read(uintptr_t lock, bool is_rwlock, struct lock_state *ret_state);

/* The same from a copy of its bytes. */
void probe_lock_state_of(const void *copy, bool is_rwlock,
                         struct lock_state *ret_state);

const char *probe_lock_type_name(enum lock_type type);

#endif
