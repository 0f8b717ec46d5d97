/* Blocks that are reached only from the data of the program or of a library, or from
 * thread-local variables. */

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cases.h"

void *held_global;
static void *volatile held_static;
static void *volatile held_array[5000];
static void *volatile before_main;
static __thread void *volatile local;
static pthread_key_t key;
static pthread_key_t far_key; /* not in a thread's own few places */

static NOINLINE void *keep_one(void)
{
    return case_fill(malloc(100), 100);
}

static NOINLINE void lose_one(void)
{
    case_fill(malloc(60), 60);
}

__attribute__((constructor)) static NOINLINE void keep_before_main(void)
{
    before_main = case_fill(malloc(123), 123);
}

static void constructor(void)
{
    case_ready();
}

static void global(void)
{
    held_global = keep_one();
    case_ready();
}

static void file_static(void)
{
    held_static = keep_one();
    case_ready();
}

static void large_array(void)
{
    held_array[4321] = keep_one();
    case_ready();
}

static NOINLINE char *keep_for_interior(void)
{
    return case_fill(malloc(1000), 1000);
}

/* Pointers into the middle, to the last byte, and behind a header, as allocators built
 * on malloc give. */
static void interior(void)
{
    held_array[0] = keep_for_interior() + 500;
    held_array[1] = keep_for_interior() + 999;
    held_array[2] = keep_for_interior() + 16;
    lose_one();
    case_ready();
}

/* A function of the library beside the program. */
static void *library_function(const char *name)
{
    char path[4096];
    ssize_t bytes = readlink("/proc/self/exe", path, sizeof(path) - 32);
    case_need(bytes > 0, "/proc/self/exe");
    path[bytes] = '\0';
    strcpy(strrchr(path, '/'), "/libheld.so");
    void *library = dlopen(path, RTLD_NOW);
    case_need(library != NULL, path);
    void *function = dlsym(library, name);
    case_need(function != NULL, name);
    return function;
}

static void call_library(const char *name)
{
    void (*function)(void);
    void *found = library_function(name);
    memcpy(&function, &found, sizeof(function));
    function();
}

static void library_static(void)
{
    call_library("hold_in_static");
    case_ready();
}

static void library_thread_local(void)
{
    call_library("hold_in_thread_local");
    case_ready();
}

/* The thread's copy of the library's variable comes with its first use. */
static void *call_in_thread(void *name)
{
    call_library(name);
    case_ready();
    return NULL;
}

static void thread_start(void *(*function)(void *), void *argument)
{
    pthread_t thread;
    case_need(pthread_create(&thread, NULL, function, argument) == 0, "thread");
    pthread_join(thread, NULL);
}

static void library_thread_local_of_thread(void)
{
    thread_start(call_in_thread, "hold_in_thread_local");
}

static void main_thread_local(void)
{
    local = keep_one();
    case_ready();
}

static NOINLINE void local_set(void)
{
    local = keep_one();
}

static void *with_local(void *argument)
{
    (void)argument;
    local_set();
    case_ready();
    return NULL;
}

static void thread_thread_local(void)
{
    thread_start(with_local, NULL);
}

static NOINLINE void specific_set(pthread_key_t where)
{
    pthread_setspecific(where, keep_one());
}

static void keys_make(void)
{
    case_need(pthread_key_create(&key, NULL) == 0, "key");
    for (int i = 0; i < 100; i++) {
        case_need(pthread_key_create(&far_key, NULL) == 0, "key");
    }
}

static void main_specific(void)
{
    keys_make();
    specific_set(key);
    specific_set(far_key);
    case_ready();
}

static void *with_specific(void *argument)
{
    (void)argument;
    specific_set(key);
    specific_set(far_key);
    case_ready();
    return NULL;
}

static void thread_specific(void)
{
    keys_make();
    thread_start(with_specific, NULL);
}

/* What a thread that has ended leaves behind is in nobody's reach. */
static NOINLINE void *lose_with_thread(void *argument)
{
    (void)argument;
    local = case_fill(malloc(100), 100);
    pthread_setspecific(key, case_fill(malloc(100), 100));
    void *volatile on_stack[200];
    for (int i = 0; i < 200; i++) {
        on_stack[i] = case_fill(malloc(10), 10);
    }
    (void)on_stack;
    return NULL;
}

static void ended_thread(void)
{
    keys_make();
    thread_start(lose_with_thread, NULL);
    case_ready();
}

static const struct lost_case cases[] = {
    {"constructor", constructor, .kept = {KEPT("keep_before_main", 1, 123)}},
    {"global", global, .kept = {KEPT("keep_one", 1, 100)}},
    {"file-static", file_static, .kept = {KEPT("keep_one", 1, 100)}},
    {"large-array", large_array, .kept = {KEPT("keep_one", 1, 100)}},
    {"interior", interior, .lost = {LOST("lose_one", 1, 60, 1, 60)},
     .kept = {KEPT("keep_for_interior", 3, 3000)}},
    {"library-static", library_static, .kept = {KEPT("keep_in_library", 1, 100)}},
    {"library-thread-local", library_thread_local,
     .kept = {KEPT("keep_in_library", 1, 100)}},
    {"library-thread-local-of-thread", library_thread_local_of_thread,
     .kept = {KEPT("keep_in_library", 1, 100)}},
    {"main-thread-local", main_thread_local, .kept = {KEPT("keep_one", 1, 100)}},
    {"thread-thread-local", thread_thread_local, .kept = {KEPT("keep_one", 1, 100)}},
    {"main-specific", main_specific, .kept = {KEPT("keep_one", 2, 200)}},
    {"thread-specific", thread_specific, .kept = {KEPT("keep_one", 2, 200)}},
    {"ended-thread", ended_thread,
     .lost = {LOST("lose_with_thread", 202, 2200, 202, 2200)}},
    {.name = NULL},
};

int main(int count, char **arguments)
{
    return cases_main(count, arguments, cases);
}
