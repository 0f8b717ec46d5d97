/*
 * Fork while other threads allocate: the child has the tables of its parent, can go on
 * recording, and finds no lock taken.
 */
#include "recorder.h"

#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

#define FORKS 100
#define THREADS 4

static atomic_bool ending;

/* Allocates with ever new stacks, so that all tables change. */
static void *descend(unsigned bits, unsigned depth)
{
    void *block = NULL;
    if (depth == 0) {
        block = malloc(bits % 100 + 1);
    } else if (bits & 1U) {
        block = descend(bits >> 1, depth - 1);
    } else {
        block = descend(bits >> 1, depth - 1); /* another call, so another stack */
    }
    return block;
}

static void *work(void *unused)
{
    for (unsigned i = 0; !atomic_load(&ending); i++) {
        free(descend(i, i % 10));
    }
    return unused;
}

void *place_kept(void);
void *place_kept(void)
{
    void *block = malloc(1000);
    return block;
}

/* What the child finds wrong, as its exit status. */
static int child(void)
{
    int64_t values[STACK_VALUES];
    void *block = place_kept();
    free(descend(12345, 16));
    recorder_sum(false, 0, "place_kept", values);
    if (values[HEAP_INUSE_OBJECTS] != 2 || values[HEAP_INUSE_SPACE] != 2000) {
        return 1;
    }
    free(block);
    recorder_sum(false, 0, "place_kept", values);
    return values[HEAP_INUSE_OBJECTS] == 1 ? 0 : 2;
}

static void test_fork_while_threads_allocate(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    void *kept = place_kept();
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, work, NULL), 0);
    }
    for (int i = 0; i < FORKS; i++) {
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
            alarm(UNIT_PATIENCE_MS / 1000); /* a deadlock ends the child */
            _exit(child());
        }
        int status = 0;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
    }
    atomic_store(&ending, true);
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    free(kept);
}

static int begin(void **state)
{
    (void)state;
    recorder_begin(RECORDER_EXACT, 0);
    return pthread_atfork(probe_recorder_fork_prepare, probe_recorder_fork_parent,
                          probe_recorder_fork_child);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fork_while_threads_allocate),
    };
    return cmocka_run_group_tests(tests, begin, NULL);
}
