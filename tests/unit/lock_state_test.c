/*
 * What locks of all kinds say of themselves, and where the kernel sees who waits.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <threads.h>
#include <unistd.h>

#include "probe/locks/lock_futex.h"
#include "probe/locks/lock_memory.h"
#include "probe/locks/lock_state.h"
#include "probe/threads/thread_details.h"
#include "unit.h"

struct kind {
    int type;
    bool robust;
    bool shared;
    bool pi;
};

static void mutex_make(pthread_mutex_t *mutex, struct kind kind)
{
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_settype(&attributes, kind.type);
    pthread_mutexattr_setrobust(&attributes, kind.robust ? PTHREAD_MUTEX_ROBUST
                                                         : PTHREAD_MUTEX_STALLED);
    pthread_mutexattr_setpshared(&attributes, kind.shared ? PTHREAD_PROCESS_SHARED
                                                          : PTHREAD_PROCESS_PRIVATE);
    pthread_mutexattr_setprotocol(&attributes,
                                  kind.pi ? PTHREAD_PRIO_INHERIT : PTHREAD_PRIO_NONE);
    assert_int_equal(pthread_mutex_init(mutex, &attributes), 0);
}

static struct lock_state state_of(const void *lock, bool is_rwlock)
{
    struct lock_state state;
    assert_int_equal(probe_lock_state_read((uintptr_t)lock, is_rwlock, &state), 0);
    return state;
}

static void *memory_of(bool shared)
{
    void *memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
                        MAP_ANONYMOUS | (shared ? MAP_SHARED : MAP_PRIVATE), -1, 0);
    assert_ptr_not_equal(memory, MAP_FAILED);
    return memory;
}

static void kind_check(struct kind kind, enum lock_type type)
{
    pthread_mutex_t *mutex = memory_of(kind.shared);
    mutex_make(mutex, kind);
    struct lock_state is = state_of(mutex, false);
    assert_true(is.readable);
    assert_int_equal(is.type, type);
    assert_int_equal(is.robust, kind.robust);
    assert_int_equal(is.pi, kind.pi);
    assert_int_equal(is.owner, 0);
    assert_int_equal(pthread_mutex_lock(mutex), 0);
    assert_int_equal(state_of(mutex, false).owner, gettid());
    assert_int_equal(pthread_mutex_unlock(mutex), 0);
    assert_int_equal(state_of(mutex, false).owner, 0);
    munmap(mutex, 4096);
}

static void mutexes_of_all_kinds_are_told_apart(void **state)
{
    (void)state;
    static const struct {
        int type;
        enum lock_type shown;
    } types[] = {{PTHREAD_MUTEX_NORMAL, LOCK_NORMAL},
                 {PTHREAD_MUTEX_RECURSIVE, LOCK_RECURSIVE},
                 {PTHREAD_MUTEX_ERRORCHECK, LOCK_ERRORCHECK},
                 {PTHREAD_MUTEX_ADAPTIVE_NP, LOCK_ADAPTIVE}};
    for (unsigned i = 0; i < 4; i++) {
        for (unsigned bits = 0; bits < 8; bits++) {
            const struct kind kind = {types[i].type, (bits & 1) != 0, (bits & 2) != 0,
                                      (bits & 4) != 0};
            kind_check(kind, types[i].shown);
        }
    }
}

static void memory_in_other_use_is_no_lock(void **state)
{
    (void)state;
    static const unsigned char fillings[] = {1, 0x41, 0x80, 0xff};
    unsigned char bytes[128];
    struct lock_state is;
    for (size_t i = 0; i < sizeof(fillings); i++) {
        for (int rwlock = 0; rwlock < 2; rwlock++) {
            memset(bytes, fillings[i], sizeof(bytes));
            probe_lock_state_of(bytes, rwlock == 1, &is);
            assert_false(is.readable);
            assert_int_equal(is.owner, LOCK_OWNER_UNKNOWN);
        }
    }
}

static void a_c11_mutex_is_one_too(void **state)
{
    (void)state;
    mtx_t mutex;
    assert_int_equal(mtx_init(&mutex, mtx_plain | mtx_recursive), thrd_success);
    mtx_lock(&mutex);
    struct lock_state is = state_of(&mutex, false);
    assert_int_equal(is.type, LOCK_RECURSIVE);
    assert_int_equal(is.owner, gettid());
    mtx_unlock(&mutex);
}

static void *lock_and_end(void *mutex)
{
    pthread_mutex_lock(mutex);
    return NULL;
}

static void a_robust_mutex_has_no_owner_when_that_has_died(void **state)
{
    (void)state;
    pthread_mutex_t mutex;
    mutex_make(&mutex, (struct kind){PTHREAD_MUTEX_NORMAL, .robust = true});
    unit_join(unit_thread(lock_and_end, &mutex));
    assert_int_equal(state_of(&mutex, false).owner, 0);
    assert_int_equal(pthread_mutex_lock(&mutex), EOWNERDEAD);
    assert_int_equal(state_of(&mutex, false).owner, gettid());
    assert_int_equal(pthread_mutex_unlock(&mutex), 0); /* it was not made consistent */
    assert_int_equal(state_of(&mutex, false).owner, LOCK_OWNER_UNKNOWN);
    assert_int_equal(pthread_mutex_lock(&mutex), ENOTRECOVERABLE);
}

static void a_rwlock_says_who_writes_and_how_many_read(void **state)
{
    (void)state;
    pthread_rwlock_t rwlock;
    pthread_rwlock_init(&rwlock, NULL);
    assert_int_equal(state_of(&rwlock, true).owner, 0);
    assert_int_equal(state_of(&rwlock, true).readers, 0);
    pthread_rwlock_rdlock(&rwlock);
    pthread_rwlock_rdlock(&rwlock);
    struct lock_state is = state_of(&rwlock, true);
    assert_int_equal(is.owner, 0);
    assert_int_equal(is.readers, 2);
    assert_false(is.writing);
    pthread_rwlock_unlock(&rwlock);
    pthread_rwlock_unlock(&rwlock);
    pthread_rwlock_wrlock(&rwlock);
    is = state_of(&rwlock, true);
    assert_int_equal(is.owner, gettid());
    assert_true(is.writing);
    pthread_rwlock_unlock(&rwlock);
}

static void memory_that_is_gone_is_not_read(void **state)
{
    (void)state;
    char *memory = memory_of(false);
    munmap(memory, 4096);
    assert_false(state_of(memory, false).readable);
    assert_int_equal(state_of(memory, false).owner, LOCK_OWNER_UNKNOWN);
    assert_false(state_of(memory, true).readable);
}

static void only_private_memory_is_not_shared(void **state)
{
    (void)state;
    static pthread_mutex_t global = PTHREAD_MUTEX_INITIALIZER;
    pthread_mutex_t local = PTHREAD_MUTEX_INITIALIZER;
    struct lock_memory memory = {0};
    char *own = memory_of(false);
    char *shared = memory_of(true);
    assert_int_equal(probe_lock_memory_read(&memory), 0);
    assert_false(probe_lock_memory_is_shared(&memory, (uintptr_t)&global));
    assert_false(probe_lock_memory_is_shared(&memory, (uintptr_t)&local));
    assert_false(probe_lock_memory_is_shared(&memory, (uintptr_t)own));
    assert_true(probe_lock_memory_is_shared(&memory, (uintptr_t)shared));
    assert_true(probe_lock_memory_is_shared(&memory, 0)); /* nothing is there */
    assert_true(probe_lock_memory_is_shared(&memory, UINTPTR_MAX));
    munmap(own, 4096);
    munmap(shared, 4096);
    assert_int_equal(probe_lock_memory_read(&memory), 0);
    assert_true(probe_lock_memory_is_shared(&memory, (uintptr_t)own));
    probe_lock_memory_release(&memory);
}

static void the_kernels_words_are_understood(void **state)
{
    (void)state;
    const struct range lock = {0x7f0000001000, 0x7f0000001028};
    assert_int_equal(probe_lock_seen_in("running", lock), LOCK_SEEN_RUNNING);
    assert_int_equal(probe_lock_seen_in("", lock), LOCK_SEEN_RUNNING);
    assert_int_equal(probe_lock_seen_in("-1 0x7ffe 0x7f00", lock), LOCK_SEEN_RUNNING);
    assert_int_equal(probe_lock_seen_in("202 0x7f0000001000 0x80 0x2", lock),
                     LOCK_SEEN_THERE);
    assert_int_equal(probe_lock_seen_in("202 0x7f0000001024 0x80 0x2", lock),
                     LOCK_SEEN_THERE);
    assert_int_equal(probe_lock_seen_in("202 0x7f0000001028 0x80 0x2", lock),
                     LOCK_SEEN_ELSE);
    assert_int_equal(probe_lock_seen_in("202 0x7f0000000fff 0x80 0x2", lock),
                     LOCK_SEEN_ELSE);
    assert_int_equal(probe_lock_seen_in("0 0x7f0000001000 0x80 0x2", lock),
                     LOCK_SEEN_ELSE);
    assert_int_equal(probe_lock_seen_in("219 0x7f0000001000 0x189 0x0", lock),
                     LOCK_SEEN_THERE); /* restart_syscall(2) */
    assert_int_equal(probe_lock_seen_in("219 0x7f0000001028 0x189 0x0", lock),
                     LOCK_SEEN_ELSE);
}

struct waiting {
    pthread_mutex_t mutex;
    atomic_int tid;
    int task_fd;
};

static void *wait_for_it(void *argument)
{
    struct waiting *waiting = argument;
    atomic_store(&waiting->tid, gettid());
    pthread_mutex_lock(&waiting->mutex);
    pthread_mutex_unlock(&waiting->mutex);
    return NULL;
}

static bool is_there(void *argument)
{
    struct waiting *waiting = argument;
    uintptr_t start = (uintptr_t)&waiting->mutex;
    const struct range lock = {start, start + sizeof(waiting->mutex)};
    return probe_lock_seen(waiting->task_fd, atomic_load(&waiting->tid), lock) ==
           LOCK_SEEN_THERE;
}

static void a_waiting_thread_is_seen_until_it_ends(void **state)
{
    (void)state;
    struct waiting waiting = {.mutex = PTHREAD_MUTEX_INITIALIZER};
    waiting.task_fd = open("/proc/self/task", O_RDONLY | O_DIRECTORY);
    assert_true(waiting.task_fd >= 0);
    pthread_mutex_lock(&waiting.mutex);
    pthread_t thread = unit_thread(wait_for_it, &waiting);
    unit_wait_until(is_there, &waiting);
    pid_t tid = atomic_load(&waiting.tid);
    assert_false(probe_thread_ended(waiting.task_fd, tid));
    assert_int_equal(probe_lock_seen(-1, tid, (struct range){0}), LOCK_SEEN_UNKNOWN);
    pthread_mutex_unlock(&waiting.mutex);
    unit_join(thread);
    /* The kernel may need a moment after it has said so to the joining thread. */
    int64_t end = unit_now_ms() + UNIT_PATIENCE_MS;
    while (!probe_thread_ended(waiting.task_fd, tid) && unit_now_ms() < end) {
        unit_sleep_ms(1);
    }
    assert_true(probe_thread_ended(waiting.task_fd, tid));
    assert_int_equal(probe_lock_seen(waiting.task_fd, tid, (struct range){0}),
                     LOCK_SEEN_GONE);
    close(waiting.task_fd);
}

static void *main_has_ended(void *argument)
{
    (void)argument;
    int task_fd = open("/proc/self/task", O_RDONLY | O_DIRECTORY);
    int64_t end = unit_now_ms() + UNIT_PATIENCE_MS;
    while (!probe_thread_ended(task_fd, getpid()) && unit_now_ms() < end) {
        unit_sleep_ms(1);
    }
    _exit(probe_thread_ended(task_fd, getpid()) ? 0 : 1);
}

static void an_ended_main_thread_is_one_though_it_is_listed(void **state)
{
    (void)state;
    int status;
    pid_t child = fork();
    if (child == 0) {
        unit_thread(main_has_ended, NULL);
        syscall(SYS_exit, 0); /* this thread alone */
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_false(probe_thread_ended(-1, getpid()));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mutexes_of_all_kinds_are_told_apart),
        cmocka_unit_test(memory_in_other_use_is_no_lock),
        cmocka_unit_test(a_c11_mutex_is_one_too),
        cmocka_unit_test(a_robust_mutex_has_no_owner_when_that_has_died),
        cmocka_unit_test(a_rwlock_says_who_writes_and_how_many_read),
        cmocka_unit_test(memory_that_is_gone_is_not_read),
        cmocka_unit_test(only_private_memory_is_not_shared),
        cmocka_unit_test(the_kernels_words_are_understood),
        cmocka_unit_test(a_waiting_thread_is_seen_until_it_ends),
        cmocka_unit_test(an_ended_main_thread_is_one_though_it_is_listed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
