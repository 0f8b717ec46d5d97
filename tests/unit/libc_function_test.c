/*
 * A function of the C library, found without the loader: the one that the loader finds.
 */
#include <dlfcn.h>

#include "probe/calls/libc_function.h"
#include "unit.h"

static void functions_are_those_that_the_loader_finds(void **state)
{
    (void)state;
    static const char *const names[] = {
        "pthread_mutex_lock",
        "pthread_mutex_timedlock",
        "pthread_mutex_clocklock",
        "mtx_lock",
        "mtx_timedlock",
        "pthread_rwlock_rdlock",
        "pthread_rwlock_timedrdlock",
        "pthread_rwlock_clockrdlock",
        "pthread_rwlock_wrlock",
        "pthread_rwlock_timedwrlock",
        "pthread_rwlock_clockwrlock",
        "malloc",
        "printf",
    };
    void *library = dlopen("libc.so.6", RTLD_LAZY | RTLD_NOLOAD);
    assert_non_null(library);
    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        void *found = probe_libc_function(names[i]);
        assert_non_null(found);
        assert_ptr_equal(found, dlsym(library, names[i]));
    }
    dlclose(library);
}

static void what_is_not_there_is_not_found(void **state)
{
    (void)state;
    assert_null(probe_libc_function("no_such_function"));
    assert_null(probe_libc_function(""));
    assert_null(probe_libc_function("cos")); /* of another library */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(functions_are_those_that_the_loader_finds),
        cmocka_unit_test(what_is_not_there_is_not_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
