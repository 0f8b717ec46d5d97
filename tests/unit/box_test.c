/*
 * Tests of boxes: a box gives its contents back only for the right type, and releases
 * what it owns once.
 */
#include "runtime/box.h"
#include "unit.h"

static int released;
static void *released_contents;

static void record_release(void *contents)
{
    released++;
    released_contents = contents;
}

static const struct box_type owned = {.name = "same", .release = record_release};
static const struct box_type borrowed = {.name = "same"};

static void holds_its_type_only(void **state)
{
    (void)state;
    int value = 1;
    struct box box;
    box_init(&box, &borrowed, &value);
    assert_ptr_equal(box_get(&box, &borrowed), &value);
    assert_null(box_get(&box, &owned));
    box_release(&box);
}

static void empty_box_holds_nothing(void **state)
{
    (void)state;
    struct box box = {0};
    assert_null(box_get(&box, &borrowed));
    box_release(&box);
    assert_null(box_get(&box, &borrowed));
}

static void owned_contents_are_released_once(void **state)
{
    (void)state;
    int value = 1;
    struct box box;
    released = 0;
    box_init(&box, &owned, &value);
    box_release(&box);
    assert_int_equal(released, 1);
    assert_ptr_equal(released_contents, &value);
    assert_null(box_get(&box, &owned));
    box_release(&box);
    assert_int_equal(released, 1);
}

static void borrowed_contents_are_not_released(void **state)
{
    (void)state;
    int value = 1;
    struct box box;
    released = 0;
    box_init(&box, &borrowed, &value);
    box_release(&box);
    assert_int_equal(released, 0);
    assert_null(box.type);
    assert_null(box.contents);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(holds_its_type_only),
        cmocka_unit_test(empty_box_holds_nothing),
        cmocka_unit_test(owned_contents_are_released_once),
        cmocka_unit_test(borrowed_contents_are_not_released),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
