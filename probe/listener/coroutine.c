/*
 * The switch is the C library's swapcontext. The sanitizers must be told of each switch
 * in words of their own.
 */
#include "probe/listener/coroutine.h"

#include "probe/recorder/own_memory.h"

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef __SANITIZE_THREAD__
#include <sanitizer/tsan_interface.h>
#endif

/* Only what is touched is memory: the rest is address space. */
#define STACK_BYTES ((size_t)1 << 20)

/* Lives at the upper end of its own mapping, above the stack. */
struct coroutine {
    void *mapping;
    size_t mapping_bytes;
    char *stack;
    size_t stack_bytes;
    void (*run)(void *);
    void *argument;
    bool ended;
    ucontext_t inside;
    ucontext_t outside;
#ifdef __SANITIZE_ADDRESS__
    const void *outside_stack;
    size_t outside_bytes;
#endif
#ifdef __SANITIZE_THREAD__
    void *fiber;
    void *outside_fiber;
#endif
};

/* Before a switch into the coroutine, or out of it. *ret_fake keeps what
 * AddressSanitizer wants back. Always inline: ThreadSanitizer counts the calls on each
 * stack, and this one would begin on one stack and end on the other. */
static inline __attribute__((always_inline)) void
switch_begin(struct coroutine *coroutine, bool into, void **ret_fake)
{
    *ret_fake = NULL;
#ifdef __SANITIZE_ADDRESS__
    bool last = !into && coroutine->ended;
    __sanitizer_start_switch_fiber(
        last ? NULL : ret_fake, into ? coroutine->stack : coroutine->outside_stack,
        into ? coroutine->stack_bytes : coroutine->outside_bytes);
#endif
#ifdef __SANITIZE_THREAD__
    if (into) {
        coroutine->outside_fiber = __tsan_get_current_fiber();
    }
    __tsan_switch_to_fiber(into ? coroutine->fiber : coroutine->outside_fiber, 0);
#endif
    (void)coroutine;
    (void)into;
}

/* After a switch, on the stack that was switched to. */
static void switch_end(struct coroutine *coroutine, bool inside, void *fake)
{
#ifdef __SANITIZE_ADDRESS__
    const void *stack;
    size_t bytes;
    __sanitizer_finish_switch_fiber(fake, &stack, &bytes);
    if (inside) {
        coroutine->outside_stack = stack;
        coroutine->outside_bytes = bytes;
    }
#endif
    (void)coroutine;
    (void)inside;
    (void)fake;
}

/* The first function on the stack. makecontext passes integers only, so the pointer
 * comes in two halves. */
static void begin(unsigned high, unsigned low)
{
    uintptr_t address = (uintptr_t)high << 16 << 16 | low;
    struct coroutine *coroutine = (void *)address; // NOLINT(performance-no-int-to-ptr)
    switch_end(coroutine, true, NULL);
    coroutine->run(coroutine->argument);
    coroutine->ended = true;
    void *fake;
    switch_begin(coroutine, false, &fake);
    setcontext(&coroutine->outside);
}

int probe_coroutine_create(struct coroutine **ret_coroutine, void (*run)(void *),
                           void *argument)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t above = (sizeof(struct coroutine) + page - 1) / page * page;
    size_t bytes = page + STACK_BYTES + above;
    char *mapping = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapping == MAP_FAILED) {
        return -ENOMEM;
    }
    struct coroutine *coroutine = (void *)(mapping + page + STACK_BYTES);
    *coroutine = (struct coroutine){
        .mapping = mapping,
        .mapping_bytes = bytes,
        .stack = mapping + page,
        .stack_bytes = STACK_BYTES,
        .run = run,
        .argument = argument,
    };
    if (mprotect(mapping, page, PROT_NONE) != 0 ||
        getcontext(&coroutine->inside) != 0) {
        munmap(mapping, bytes);
        return -ENOMEM;
    }
    /* What a page has looked at, and left on this stack, holds no block. */
    if (!probe_own_memory_note(mapping, bytes)) {
        munmap(mapping, bytes);
        return -ENOMEM;
    }
    coroutine->inside.uc_stack.ss_sp = coroutine->stack;
    coroutine->inside.uc_stack.ss_size = coroutine->stack_bytes;
    uintptr_t address = (uintptr_t)coroutine;
    makecontext(&coroutine->inside, (void (*)(void))begin, 2,
                (unsigned)(address >> 16 >> 16), (unsigned)address);
#ifdef __SANITIZE_THREAD__
    coroutine->fiber = __tsan_create_fiber(0);
#endif
    *ret_coroutine = coroutine;
    return 0;
}

bool probe_coroutine_resume(struct coroutine *coroutine)
{
    void *fake;
    switch_begin(coroutine, true, &fake);
    swapcontext(&coroutine->outside, &coroutine->inside);
    switch_end(coroutine, false, fake);
    return !coroutine->ended;
}

void probe_coroutine_yield(struct coroutine *coroutine)
{
    void *fake;
    switch_begin(coroutine, false, &fake);
    swapcontext(&coroutine->inside, &coroutine->outside);
    switch_end(coroutine, true, fake);
}

void probe_coroutine_destroy(struct coroutine *coroutine)
{
    if (coroutine == NULL) {
        return;
    }
#ifdef __SANITIZE_THREAD__
    __tsan_destroy_fiber(coroutine->fiber);
#endif
    probe_own_memory_forget(coroutine->mapping);
    munmap(coroutine->mapping, coroutine->mapping_bytes);
}
