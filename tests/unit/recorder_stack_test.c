/*
 * The stacks that the recorder takes by its table of rules are those that libunwind
 * finds by itself; also where code is unloaded and other code takes its place, where a
 * thread is ending, and in a signal handler.
 */
#include "recorder.h"

#include <limits.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "probe/recorder/call_stack.h"
#include "probe/recorder/frame_rules.h"
#include "probe/recorder/live_blocks.h"
#include "probe/recorder/unwinder.h"

#define DEPTH 64

static int compared;
static uintptr_t called_from; /* the return address of compare_here */

static size_t frames; /* of the last stack */

/* Takes the stack in both ways, twice: the second time every rule is known. */
static void compare_here(void)
{
    uintptr_t fast[DEPTH];
    uintptr_t slow[DEPTH];
    const uintptr_t *frame = __builtin_frame_address(0);
    called_from = frame[1];
    probe_inside++;
    for (int i = 0; i < 2; i++) {
        frames = probe_call_stack(frame, fast, DEPTH);
        size_t right = probe_unwinder_walk(frame[1], slow, DEPTH);
        assert_int_equal(frames, right);
        assert_memory_equal(fast, slow, frames * sizeof(fast[0]));
    }
    probe_inside--;
    compared++;
}

static int compare_in_qsort(const void *one, const void *other)
{
    compare_here();
    return *(const int *)one - *(const int *)other;
}

/* A frame of a size that only the base pointer knows. */
static __attribute__((noinline)) void compare_behind_alloca(size_t bytes)
{
    volatile char *room = __builtin_alloca(bytes);
    room[0] = 1;
    compare_here();
    room[bytes - 1] = 1;
}

/* A frame whose stack pointer is rounded down: neither register says where it is. */
static __attribute__((noinline)) void compare_behind_alignment(void)
{
    _Alignas(128) char room[256] = {1};
    __asm__ volatile("" : : "r"(room) : "memory");
    compare_here();
    __asm__ volatile("" : : "r"(room) : "memory");
}

/* The handler's stack ends with it and the kernel's frame. */
static void on_signal(int number)
{
    (void)number;
    compare_here();
    assert_int_equal(frames, 2);
}

static void test_stacks_are_those_of_libunwind(void **state)
{
    (void)state;
    int numbers[] = {3, 1, 2};
    compared = 0;
    compare_here();
    assert_true(frames > 3);
    qsort(numbers, 3, sizeof(int), compare_in_qsort);
    compare_behind_alloca(1000);
    compare_behind_alloca(50000);
    compare_behind_alignment();
    struct sigaction action = {.sa_handler = on_signal};
    struct sigaction before;
    assert_int_equal(sigaction(SIGUSR1, &action, &before), 0);
    raise(SIGUSR1);
    sigaction(SIGUSR1, &before, NULL);
    assert_true(compared >= 7);
}

/* ---- A library that is replaced by another one at the same address ---- */

/* Two libraries with a function that calls another one: `plugin_call(function)`. They
 * differ in nothing but the size of its frame, so the return address is the same. */
static const char *const frame_sizes[] = {"8", "120"};

static void plugin_build(const char *path, const char *frame_size)
{
    char command[512];
    snprintf(command, sizeof(command),
             "printf '.globl plugin_call\n.type plugin_call, @function\n"
             "plugin_call:\n.cfi_startproc\nsub $%s, %%%%rsp\n"
             ".cfi_adjust_cfa_offset %s\ncall *%%%%rdi\nadd $%s, %%%%rsp\n"
             ".cfi_adjust_cfa_offset -%s\nret\n.cfi_endproc\n"
             ".section .note.GNU-stack\n' | gcc -shared -x assembler -o %s -",
             frame_size, frame_size, frame_size, frame_size, path);
    assert_int_equal(system(command), 0);
}

static int rule_kind(uintptr_t address)
{
    return probe_rule_find(probe_rules_current, address).kind;
}

static void test_unloaded_code_is_forgotten(void **state)
{
    (void)state;
    char directory[] = "/tmp/recorder-XXXXXX";
    char paths[2][64];
    assert_non_null(mkdtemp(directory));
    for (int i = 0; i < 2; i++) {
        snprintf(paths[i], sizeof(paths[i]), "%s/%d.so", directory, i);
        plugin_build(paths[i], frame_sizes[i]);
    }
    void *first_address = NULL;
    int same_address = 0;
    for (int i = 0; i < 200; i++) {
        void *library = dlopen(paths[i % 2], RTLD_NOW | RTLD_LOCAL);
        assert_non_null(library);
        void (*call)(void (*)(void)) = NULL;
        *(void **)&call = dlsym(library, "plugin_call");
        call(compare_here);
        first_address = i == 0 ? (void *)call : first_address;
        same_address += i % 2 == 1 && (void *)call == first_address;
        assert_int_equal(rule_kind(called_from), FRAME_BY_SP);
        assert_int_equal(dlclose(library), 0);
        assert_int_equal(rule_kind(called_from), FRAME_UNKNOWN);
    }
    assert_true(same_address > 0); /* or else nothing was shown */
    for (int i = 0; i < 2; i++) {
        unlink(paths[i]);
    }
    rmdir(directory);
}

/* ---- The end of a thread ---- */

static pthread_key_t key;
static _Atomic int destroyed;

/* The C library runs destructors up to four times: the last time, everything of other
 * libraries is gone. */
static void on_destroyed(void *value)
{
    free(malloc(100));
    free(value);
    destroyed++;
    if (destroyed % PTHREAD_DESTRUCTOR_ITERATIONS != 0) {
        pthread_setspecific(key, malloc(10));
    }
}

static void *short_thread(void *unused)
{
    pthread_setspecific(key, malloc(10));
    return unused;
}

static void test_allocating_while_a_thread_ends(void **state)
{
    (void)state;
    struct recorder_figures before;
    struct recorder_figures after;
    assert_int_equal(pthread_key_create(&key, on_destroyed), 0);
    probe_recorder_read_figures(&before);
    for (int i = 0; i < 100; i++) {
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, short_thread, NULL), 0);
        assert_int_equal(pthread_join(thread, NULL), 0);
    }
    probe_recorder_read_figures(&after);
    assert_int_equal(destroyed, 100 * PTHREAD_DESTRUCTOR_ITERATIONS);
    assert_true(after.allocations - before.allocations >=
                (uint64_t)destroyed + 100 * PTHREAD_DESTRUCTOR_ITERATIONS);
    pthread_key_delete(key);
}

/* ---- Signals ---- */

static void *_Atomic to_free;

static void on_alarm(int number)
{
    (void)number;
    void *block = atomic_exchange(&to_free, NULL);
    if (block != NULL) {
        probe_recorder_freed(block); /* the allocator itself must not be interrupted */
    }
}

/* A handler that frees while it interrupts the recorder anywhere: no deadlock, and what
 * was not seen to go is counted. */
static void test_freeing_in_a_handler(void **state)
{
    (void)state;
    enum { TIMES = 300 };
    struct sigaction action = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};
    struct sigaction before;
    struct recorder_figures figures_before;
    struct recorder_figures figures;
    assert_int_equal(sigaction(SIGALRM, &action, &before), 0);
    static char blocks[TIMES];
    probe_recorder_read_figures(&figures_before);
    timer_t timer;
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM};
    assert_int_equal(timer_create(CLOCK_MONOTONIC, &event, &timer), 0);
    struct itimerspec every = {{0, 50000}, {0, 50000}};
    assert_int_equal(timer_settime(timer, 0, &every, NULL), 0);
    for (int i = 0; i < TIMES; i++) {
        probe_recorder_allocated(&blocks[i], 1);
        atomic_store(&to_free, &blocks[i]);
        while (atomic_load(&to_free) != NULL) {
            /* Not of the allocator: a made-up address. */
            probe_recorder_allocated(&figures, 10);
            probe_recorder_freed(&figures);
        }
    }
    timer_delete(timer);
    sigaction(SIGALRM, &before, NULL);
    probe_recorder_read_figures(&figures);
    uint64_t in_use = figures.allocations - figures.frees;
    uint64_t in_use_before = figures_before.allocations - figures_before.frees;
    assert_true(in_use - in_use_before <= figures.lost - figures_before.lost);
}

/* The handler has interrupted its own thread while that holds the tables: no deadlock,
 * and the block that was not seen to go is counted. */
static void test_freeing_while_the_tables_are_held(void **state)
{
    (void)state;
    char block = 0;
    struct recorder_figures before;
    struct recorder_figures after;
    probe_recorder_allocated(&block, 1);
    probe_recorder_read_figures(&before);
    probe_inside++;
    probe_live_hold_all();
    probe_recorder_freed(&block);
    probe_live_release_all();
    probe_inside--;
    probe_recorder_read_figures(&after);
    assert_int_equal(after.lost, before.lost + 1);
    assert_int_equal(after.frees, before.frees);
    probe_recorder_freed(&block);
    probe_recorder_read_figures(&after);
    assert_int_equal(after.frees, before.frees + 1);
}

/* No memory for the tables: the program notices nothing, not even in errno; what could
 * not be noted is counted. */
static void test_memory_is_short(void **state)
{
    (void)state;
    enum { BLOCKS = 100000 };
    static char blocks[BLOCKS];
    struct recorder_figures before;
    struct recorder_figures after;
    struct rlimit limit;
    probe_recorder_read_figures(&before);
    assert_int_equal(getrlimit(RLIMIT_AS, &limit), 0);
    const struct rlimit nothing = {.rlim_cur = 1, .rlim_max = limit.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_AS, &nothing), 0);
    errno = 7;
    for (size_t i = 0; i < BLOCKS; i++) {
        probe_recorder_allocated(&blocks[i], 10);
    }
    int error = errno;
    assert_int_equal(setrlimit(RLIMIT_AS, &limit), 0);
    assert_int_equal(error, 7);
    probe_recorder_read_figures(&after);
    uint64_t lost = after.lost - before.lost;
    assert_true(lost > 0);
    assert_int_equal(after.allocations - before.allocations, BLOCKS - lost);
    assert_int_equal(after.allocated_bytes - before.allocated_bytes,
                     10 * (BLOCKS - lost));
    for (size_t i = 0; i < BLOCKS; i++) {
        probe_recorder_freed(&blocks[i]);
    }
    probe_recorder_read_figures(&after);
    assert_int_equal(after.frees - before.frees, BLOCKS - lost);
}

static int begin(void **state)
{
    (void)state;
    recorder_begin(RECORDER_EXACT, 0);
    return 0;
}

int main(void)
{
    alarm(3 * UNIT_PATIENCE_MS / 1000); /* a deadlock ends it */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stacks_are_those_of_libunwind),
        cmocka_unit_test(test_unloaded_code_is_forgotten),
        cmocka_unit_test(test_allocating_while_a_thread_ends),
        cmocka_unit_test(test_freeing_in_a_handler),
        cmocka_unit_test(test_memory_is_short),
        cmocka_unit_test(test_freeing_while_the_tables_are_held),
    };
    return cmocka_run_group_tests(tests, begin, NULL);
}
