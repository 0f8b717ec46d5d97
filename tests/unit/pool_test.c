/*
 * Tests of the pool: which buffers it keeps, which it refuses, and that no buffer has
 * two owners.
 */
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "free_count.h"
#include "runtime/pool.h"
#include "unit.h"

#define BYTES 64

static void *buffer_make(void)
{
    void *buffer = malloc(BYTES);
    assert_non_null(buffer);
    return buffer;
}

static void keeps_and_gives_back(void **state)
{
    (void)state;
    struct pool pool = POOL_INIT(2, BYTES);
    assert_null(pool_get(&pool, BYTES));
    void *first = buffer_make();
    void *second = buffer_make();
    assert_true(pool_put(&pool, first, BYTES));
    assert_true(pool_put(&pool, second, BYTES));
    assert_ptr_equal(pool_get(&pool, BYTES), second);
    assert_ptr_equal(pool_get(&pool, BYTES), first);
    assert_null(pool_get(&pool, BYTES));
    free(first);
    free(second);
}

static void full_pool_refuses(void **state)
{
    (void)state;
    struct pool pool = POOL_INIT(1, BYTES);
    void *first = buffer_make();
    void *second = buffer_make();
    assert_true(pool_put(&pool, first, BYTES));
    assert_false(pool_put(&pool, second, BYTES));
    assert_ptr_equal(pool_get(&pool, BYTES), first);
    /* There is room again. */
    assert_true(pool_put(&pool, second, BYTES));
    free(first);
    pool_clear(&pool);
}

static void other_sizes_are_not_kept(void **state)
{
    (void)state;
    struct pool pool = POOL_INIT(2, BYTES);
    void *buffer = buffer_make();
    assert_false(pool_put(&pool, buffer, BYTES - 1));
    assert_false(pool_put(&pool, buffer, BYTES + 1));
    assert_true(pool_put(&pool, buffer, BYTES));
    assert_null(pool_get(&pool, BYTES - 1));
    assert_null(pool_get(&pool, BYTES + 1));
    pool_clear(&pool);
}

static void clear_frees_all(void **state)
{
    (void)state;
    struct pool pool = POOL_INIT(3, BYTES);
    for (int turn = 0; turn < 2; turn++) {
        for (int i = 0; i < 3; i++) {
            assert_true(pool_put(&pool, buffer_make(), BYTES));
        }
        int before = atomic_load(&frees);
        pool_clear(&pool);
        assert_int_equal(atomic_load(&frees), before + 3);
        assert_null(pool_get(&pool, BYTES));
    }
}

static struct pool shared = POOL_INIT(3, BYTES);
static atomic_int spoiled;

/* Writes a mark into each buffer while it has it, and checks that no other thread
 * did. */
static void *pool_churn(void *argument)
{
    int mark = *(int *)argument;
    unsigned char expected[BYTES];
    memset(expected, mark, BYTES);
    for (int i = 0; i < 4000; i++) {
        void *buffer = pool_get(&shared, BYTES);
        if (buffer == NULL) {
            buffer = malloc(BYTES);
        }
        memset(buffer, mark, BYTES);
        if (i % 64 == 0) {
            sched_yield();
        }
        if (memcmp(buffer, expected, BYTES) != 0) {
            atomic_fetch_add(&spoiled, 1);
        }
        if (!pool_put(&shared, buffer, BYTES)) {
            free(buffer);
        }
    }
    return NULL;
}

static void no_buffer_has_two_owners(void **state)
{
    (void)state;
    pthread_t threads[4];
    int marks[4] = {1, 2, 3, 4};
    for (int i = 0; i < 4; i++) {
        threads[i] = unit_thread(pool_churn, &marks[i]);
    }
    for (int i = 0; i < 4; i++) {
        unit_join(threads[i]);
    }
    assert_int_equal(atomic_load(&spoiled), 0);
    assert_true(shared.count >= 1 && shared.count <= 3);
    int before = atomic_load(&frees);
    int kept = (int)shared.count;
    pool_clear(&shared);
    assert_int_equal(atomic_load(&frees), before + kept);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_and_gives_back),     cmocka_unit_test(full_pool_refuses),
        cmocka_unit_test(other_sizes_are_not_kept), cmocka_unit_test(clear_frees_all),
        cmocka_unit_test(no_buffer_has_two_owners),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
