/*
 * A profile for which memory was short: the next one is whole, whichever piece of
 * memory was refused. Buffers get theirs by mmap, of which -Wl,--wrap=mmap refuses one.
 * -Wl,--wrap=probe_symbols_load leaves the program without modules, as where /proc
 * cannot be read: then the first piece is needed late.
 */
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "probe/heap/heap_profile.h"
#include "probe/symbols/symbols.h"
#include "unit.h"

#define PIECES 20 /* more than a profile needs */

static int refused; /* this call of mmap fails; 0: none */
static int calls;
static bool has_modules;

void *__real_mmap(void *address, size_t bytes, int protection, int flags, int fd,
                  off_t offset);
void *__wrap_mmap(void *address, size_t bytes, int protection, int flags, int fd,
                  off_t offset);

void *__wrap_mmap(void *address, size_t bytes, int protection, int flags, int fd,
                  off_t offset)
{
    if (++calls == refused) {
        errno = ENOMEM;
        return MAP_FAILED;
    }
    return __real_mmap(address, bytes, protection, flags, fd, offset);
}

int __real_probe_symbols_load(void);
int __wrap_probe_symbols_load(void);

int __wrap_probe_symbols_load(void)
{
    return has_modules ? __real_probe_symbols_load() : -EACCES;
}

static int profile_write(const char *text)
{
    struct buffer buffer = {0};
    int error = probe_heap_profile_proto(text, HEAP_VIEW_INUSE, &buffer);
    buffer_release(&buffer);
    return error;
}

/* In a process of its own, where no profile has been written yet. */
static void assert_next_is_whole(const char *text, int refuse)
{
    pid_t child = fork();
    if (child == 0) {
        if (has_modules) {
            probe_symbols_load();
        }
        calls = 0;
        refused = refuse;
        int first = profile_write(text);
        refused = 0;
        _exit((first == 0 || first == -ENOMEM) && profile_write(text) == 0 ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void the_next_profile_is_whole(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "heap profile: 0: 0 [0: 0] @ heapprofile\n",
        ("heap profile: 2: 6 [2: 6] @ heapprofile\n"
         "1: 2 [1: 2] @ 0x1000 0x2000\n1: 4 [1: 4] @ 0x3000\n"),
        "heap profile: 2: 6 [2: 6] @ heapprofile\n1: 2 [1: 2] @ 0x1000\n",
    };
    for (int modules = 0; modules < 2; modules++) {
        has_modules = modules == 1;
        for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
            for (int refuse = 1; refuse <= PIECES; refuse++) {
                assert_next_is_whole(texts[i], refuse);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_next_profile_is_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
