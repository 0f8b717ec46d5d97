/*
 * Tests of objects: the finalizer runs once, at the last strong reference; the memory
 * is freed at the last reference of either kind; a weak reference does not keep a cycle
 * alive.
 */
#include <stdlib.h>

#include "free_count.h"
#include "runtime/object.h"
#include "unit.h"

struct node {
    struct object object;
    struct node *strong; /* released by the finalizer; may be NULL */
    struct node *weak;   /* the same */
    int canary;
};

static atomic_int finalized;

static void node_finalize(struct object *object)
{
    struct node *node = (struct node *)object;
    atomic_fetch_add(&finalized, node->canary == 42 ? 1 : 1000);
    if (node->strong != NULL) {
        object_release(&node->strong->object);
    }
    if (node->weak != NULL) {
        object_release_weak(&node->weak->object);
    }
}

static struct node *node_make(void)
{
    struct node *node = calloc(1, sizeof(*node));
    assert_non_null(node);
    object_init(&node->object, node_finalize);
    node->canary = 42;
    return node;
}

/* The number of frees when a test began to count. */
static int frees_before;

static void counts_reset(void)
{
    atomic_store(&finalized, 0);
    frees_before = atomic_load(&frees);
}

static void assert_counts(int expected_finalized, int expected_frees)
{
    assert_int_equal(atomic_load(&finalized), expected_finalized);
    assert_int_equal(atomic_load(&frees) - frees_before, expected_frees);
}

static void last_release_finalizes_and_frees(void **state)
{
    (void)state;
    counts_reset();
    struct node *node = node_make();
    assert_ptr_equal(object_retain(&node->object), &node->object);
    object_release(&node->object);
    assert_counts(0, 0);
    object_release(&node->object);
    assert_counts(1, 1);
}

static void finalizer_is_optional_and_null_is_nothing(void **state)
{
    (void)state;
    counts_reset();
    struct object *object = malloc(sizeof(*object));
    assert_non_null(object);
    object_init(object, NULL);
    object_release(object);
    assert_counts(0, 1);
    object_release(NULL);
    object_release_weak(NULL);
    assert_null(object_lock(NULL));
}

static void weak_reference_keeps_only_memory(void **state)
{
    (void)state;
    counts_reset();
    struct node *node = node_make();
    struct object *weak = object_retain_weak(&node->object);
    assert_ptr_equal(weak, &node->object);
    struct object *locked = object_lock(weak);
    assert_ptr_equal(locked, weak);
    object_release(&node->object);
    assert_counts(0, 0);
    object_release(locked);
    assert_counts(1, 0);
    assert_null(object_lock(weak));
    object_release_weak(weak);
    assert_counts(1, 1);
}

static void weak_reference_may_go_first(void **state)
{
    (void)state;
    counts_reset();
    struct node *node = node_make();
    object_retain_weak(&node->object);
    object_release_weak(&node->object);
    assert_counts(0, 0);
    object_release(&node->object);
    assert_counts(1, 1);
}

static void strong_cycle_never_ends(void **state)
{
    (void)state;
    counts_reset();
    struct node *a = node_make();
    struct node *b = node_make();
    a->strong = (struct node *)object_retain(&b->object);
    b->strong = (struct node *)object_retain(&a->object);
    object_release(&a->object);
    object_release(&b->object);
    assert_counts(0, 0);
    /* The cycle keeps both alive, so the test breaks it. */
    struct node *back = b->strong;
    b->strong = NULL;
    object_release(&back->object);
    assert_counts(2, 2);
}

static void weak_back_pointer_ends_cycle(void **state)
{
    (void)state;
    counts_reset();
    struct node *parent = node_make();
    struct node *child = node_make();
    parent->strong = child;
    child->weak = (struct node *)object_retain_weak(&parent->object);
    struct object *seen = object_lock(&child->weak->object);
    assert_non_null(seen);
    object_release(seen);
    object_release(&parent->object);
    assert_counts(2, 2);
}

static void *retain_and_release(void *argument)
{
    struct object *object = argument;
    for (int i = 0; i < 5000; i++) {
        object_release(object_retain(object));
    }
    object_release(object);
    return NULL;
}

static void counts_hold_among_threads(void **state)
{
    (void)state;
    counts_reset();
    struct node *node = node_make();
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) {
        threads[i] = unit_thread(retain_and_release, object_retain(&node->object));
    }
    for (int i = 0; i < 4; i++) {
        unit_join(threads[i]);
    }
    assert_counts(0, 0);
    object_release(&node->object);
    assert_counts(1, 1);
}

/* Locks through a weak reference until the object is gone. The threads could keep it
 * alive for each other, so each gives up after a number of tries. */
static void *lock_until_gone(void *argument)
{
    struct object *weak = argument;
    for (int i = 0; i < 500; i++) {
        struct object *locked = object_lock(weak);
        if (locked == NULL) {
            break;
        }
        if (((struct node *)locked)->canary != 42) {
            atomic_fetch_add(&finalized, 1000);
        }
        object_release(locked);
    }
    object_release_weak(weak);
    return NULL;
}

/* The last strong reference is released while other threads lock: the object is
 * finalized once, at the last release, and freed once. */
static void lock_and_last_release_race(void **state)
{
    (void)state;
    for (int round = 0; round < 50; round++) {
        counts_reset();
        struct node *node = node_make();
        pthread_t threads[3];
        for (int i = 0; i < 3; i++) {
            threads[i] =
                unit_thread(lock_until_gone, object_retain_weak(&node->object));
        }
        object_release(&node->object);
        for (int i = 0; i < 3; i++) {
            unit_join(threads[i]);
        }
        assert_int_equal(atomic_load(&finalized), 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(last_release_finalizes_and_frees),
        cmocka_unit_test(finalizer_is_optional_and_null_is_nothing),
        cmocka_unit_test(weak_reference_keeps_only_memory),
        cmocka_unit_test(weak_reference_may_go_first),
        cmocka_unit_test(strong_cycle_never_ends),
        cmocka_unit_test(weak_back_pointer_ends_cycle),
        cmocka_unit_test(counts_hold_among_threads),
        cmocka_unit_test(lock_and_last_release_race),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
