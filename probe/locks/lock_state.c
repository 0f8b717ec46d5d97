#include "probe/locks/lock_state.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <string.h>

#include "probe/process/memory_read.h"

/* Bits of a mutex's kind. */
#define KIND_TYPE 3
#define KIND_ROBUST 16
#define KIND_PI 32
#define KIND_SHARED 128

/* The bits that a mutex of the C library may have in its kind: those above, a ceiling
 * of priorities, and with or without elision. */
#define KIND_POSSIBLE (KIND_TYPE | KIND_ROBUST | KIND_PI | 64 | KIND_SHARED | 256 | 512)

/* A mutex whose lock word has other meanings than free, taken, and waited for. */
#define KIND_OWN_WORD (KIND_ROBUST | KIND_PI | 64)
#define WORD_MAX 2

#define THREAD_MAX 4194304 /* the kernel's maximum: proc_sys_kernel(5) */

/* Bits of a rwlock's count of readers. */
#define READERS_WRITE_PHASE 1U
#define READERS_WRITER 2U
#define READERS_SHIFT 3

/* The largest value of a rwlock's futexes, and of its flags. */
#define RWLOCK_FUTEX_MAX 3
#define RWLOCK_FLAGS_MAX 2

/* In place of the owner: a robust mutex whose owner has died, before the next one has
 * repaired what it protects, and when that is no longer possible. */
#define OWNER_INCONSISTENT INT_MAX
#define OWNER_NOT_RECOVERABLE (INT_MAX - 1)

size_t probe_lock_bytes(bool is_rwlock)
{
    return is_rwlock ? sizeof(pthread_rwlock_t) : sizeof(pthread_mutex_t);
}

static const enum lock_type types[] = {
    [PTHREAD_MUTEX_TIMED_NP] = LOCK_NORMAL,
    [PTHREAD_MUTEX_RECURSIVE_NP] = LOCK_RECURSIVE,
    [PTHREAD_MUTEX_ERRORCHECK_NP] = LOCK_ERRORCHECK,
    [PTHREAD_MUTEX_ADAPTIVE_NP] = LOCK_ADAPTIVE,
};

/* The kernel itself writes the lock word of a robust or inheriting mutex: the number of
 * its owner, who has not yet come to write it into the other member. */
static pid_t mutex_owner(const pthread_mutex_t *mutex, const struct lock_state *state)
{
    int owner = mutex->__data.__owner;
    if (owner == OWNER_NOT_RECOVERABLE) {
        return LOCK_OWNER_UNKNOWN;
    }
    if (!state->robust && !state->pi) {
        return owner;
    }
    uint32_t word = (uint32_t)mutex->__data.__lock;
    return (word & FUTEX_OWNER_DIED) != 0 ? 0 : (pid_t)(word & FUTEX_TID_MASK);
}

static void mutex_read(const pthread_mutex_t *mutex, struct lock_state *ret_state)
{
    int kind = mutex->__data.__kind;
    ret_state->type = types[kind & KIND_TYPE];
    ret_state->robust = (kind & KIND_ROBUST) != 0;
    ret_state->pi = (kind & KIND_PI) != 0;
    ret_state->owner = mutex_owner(mutex, ret_state);
}

static void rwlock_read(const pthread_rwlock_t *rwlock, struct lock_state *ret_state)
{
    unsigned readers = rwlock->__data.__readers;
    ret_state->owner = rwlock->__data.__cur_writer;
    ret_state->readers = readers >> READERS_SHIFT;
    ret_state->writing = (readers & READERS_WRITE_PHASE) != 0;
}

/* Whether these bytes can be a mutex at all: its memory may have been given back, and
 * hold something else. */
static bool is_mutex(const pthread_mutex_t *mutex)
{
    int kind = mutex->__data.__kind;
    int word = mutex->__data.__lock;
    int owner = mutex->__data.__owner;
    if ((kind & ~KIND_POSSIBLE) != 0) {
        return false;
    }
    if ((kind & KIND_ROBUST) != 0 &&
        (owner == OWNER_INCONSISTENT || owner == OWNER_NOT_RECOVERABLE)) {
        return true;
    }
    bool word_possible = (kind & KIND_OWN_WORD) != 0 || (word >= 0 && word <= WORD_MAX);
    return word_possible && owner >= 0 && owner <= THREAD_MAX;
}

static bool is_rwlock_at(const pthread_rwlock_t *rwlock)
{
    return rwlock->__data.__wrphase_futex <= RWLOCK_FUTEX_MAX &&
           rwlock->__data.__writers_futex <= RWLOCK_FUTEX_MAX &&
           rwlock->__data.__flags <= RWLOCK_FLAGS_MAX &&
           rwlock->__data.__cur_writer >= 0 &&
           rwlock->__data.__cur_writer <= THREAD_MAX;
}

void probe_lock_state_of(const void *copy, bool is_rwlock, struct lock_state *ret_state)
{
    *ret_state = (struct lock_state){.readable = true};
    if (is_rwlock) {
        pthread_rwlock_t rwlock;
        memcpy(&rwlock, copy, sizeof(rwlock));
        ret_state->readable = is_rwlock_at(&rwlock);
        if (ret_state->readable) {
            rwlock_read(&rwlock, ret_state);
        }
    } else {
        pthread_mutex_t mutex;
        memcpy(&mutex, copy, sizeof(mutex));
        ret_state->readable = is_mutex(&mutex);
        if (ret_state->readable) {
            mutex_read(&mutex, ret_state);
        }
    }
    if (!ret_state->readable) {
        *ret_state = (struct lock_state){.owner = LOCK_OWNER_UNKNOWN};
    }
}

int probe_lock_state_read(uintptr_t lock, bool is_rwlock, struct lock_state *ret_state)
{
    char copy[sizeof(pthread_rwlock_t) + sizeof(pthread_mutex_t)];
    int error = probe_memory_read(lock, copy, probe_lock_bytes(is_rwlock));
    if (error == 0) {
        probe_lock_state_of(copy, is_rwlock, ret_state);
    } else {
        *ret_state = (struct lock_state){.owner = LOCK_OWNER_UNKNOWN};
    }
    return error == -EFAULT ? 0 : error;
}

const char *probe_lock_type_name(enum lock_type type)
{
    static const char *const names[] = {
        [LOCK_NORMAL] = "normal",
        [LOCK_RECURSIVE] = "recursive",
        [LOCK_ERRORCHECK] = "errorcheck",
        [LOCK_ADAPTIVE] = "adaptive",
    };
    return names[type];
}
