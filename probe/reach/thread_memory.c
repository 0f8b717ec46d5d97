#include "probe/reach/thread_memory.h"

#include <dlfcn.h>
#include <pthread.h>
#include <unistd.h>

#define STACKS_MAX 1000000 /* that the C library may have in a list */

/* Where the fields are looked for. */
#define FIRST_OFFSET 64
#define LAST_OFFSET (THREAD_MEMORY_BYTES / 2)

static size_t tid_find(uintptr_t pointer)
{
    pid_t own = gettid();
    for (size_t offset = FIRST_OFFSET; offset < LAST_OFFSET; offset += sizeof(own)) {
        pid_t value;
        memcpy(&value, (const void *)(pointer + offset), sizeof(value));
        if (value == own) {
            return offset;
        }
    }
    return 0;
}

uintptr_t probe_main_stack_end(void)
{
    const uintptr_t *end = dlsym(RTLD_DEFAULT, "__libc_stack_end");
    return end == NULL ? 0 : *end;
}

/* The lower and the upper end of the calling thread's stack as the C library keeps
 * them. The main thread's is the kernel's: it has 0, and where the loader found the
 * stack. Returns whether they are known. */
static bool own_stack(uintptr_t *ret_start, uintptr_t *ret_end)
{
    pthread_attr_t attributes;
    void *start = NULL;
    size_t bytes = 0;
    if (gettid() == getpid()) {
        *ret_start = 0;
        *ret_end = probe_main_stack_end();
        return *ret_end != 0;
    }
    if (pthread_getattr_np(pthread_self(), &attributes) != 0) {
        return false;
    }
    pthread_attr_getstack(&attributes, &start, &bytes);
    pthread_attr_destroy(&attributes);
    *ret_start = (uintptr_t)start;
    *ret_end = (uintptr_t)start + bytes;
    return true;
}

static size_t stack_find(uintptr_t pointer)
{
    uintptr_t start;
    uintptr_t end;
    if (!own_stack(&start, &end)) {
        return 0;
    }
    for (size_t offset = FIRST_OFFSET; offset < LAST_OFFSET; offset += sizeof(end)) {
        uintptr_t first = word_at(pointer + offset);
        uintptr_t bytes = word_at(pointer + offset + sizeof(first));
        bool fits = start == 0 ? first == 0 : first != 0 && first <= start;
        if (fits && first + bytes == end) {
            return offset;
        }
    }
    return 0;
}

struct thread_layout probe_thread_layout_find(uintptr_t pointer)
{
    return (struct thread_layout){tid_find(pointer), stack_find(pointer)};
}

/* A thread's data begins with two pointers to itself ("tcb" and "self" of tcbhead_t).
 */
bool probe_thread_pointer_is(uintptr_t address)
{
    return word_at(address) == address &&
           word_at(address + 2 * sizeof(uintptr_t)) == address;
}

pid_t probe_thread_tid(const struct thread_layout *layout, uintptr_t pointer)
{
    pid_t tid;
    memcpy(&tid, (const void *)(pointer + layout->tid), sizeof(tid));
    return tid;
}

struct range probe_thread_stack(const struct thread_layout *layout, uintptr_t pointer,
                                uintptr_t *ret_guard)
{
    struct range none = {0, 0};
    if (layout->stack == 0 || pointer == 0) {
        return none;
    }
    uintptr_t field = pointer + layout->stack;
    uintptr_t start = word_at(field);
    uintptr_t bytes = word_at(field + sizeof(start));
    if (ret_guard != NULL) {
        *ret_guard = word_at(field + 2 * sizeof(start));
    }
    bool is_within = start != 0 && start <= pointer && pointer - start < bytes;
    return is_within ? (struct range){start, start + bytes} : none;
}

/* The head of the list in which the C library has the thread's stack. The list goes
 * round; its links are before the tid ("list" of struct pthread). 0: not found. */
static uintptr_t list_of(const struct thread_layout *layout, uintptr_t pointer)
{
    size_t offset = layout->tid - 2 * sizeof(uintptr_t);
    uintptr_t at = pointer + offset;
    for (unsigned i = 0; i < STACKS_MAX && at != 0; i++) {
        if (!probe_thread_pointer_is(at - offset)) {
            return at;
        }
        at = word_at(at);
    }
    return 0;
}

/* The main thread is in another list, whose head is right behind ("_dl_stack_used" and
 * "_dl_stack_user" of rtld_global). */
bool probe_thread_stack_is_in_use(const struct thread_layout *layout, uintptr_t pointer,
                                  uintptr_t own, bool own_is_main)
{
    uintptr_t head = list_of(layout, own);
    uintptr_t used = head == 0 || !own_is_main ? head : head - 2 * sizeof(uintptr_t);
    uintptr_t its = list_of(layout, pointer);
    return used == 0 || its == 0 || its == used;
}

/* The second word of tcbhead_t is the table ("dtv_t"): of each file two words, the
 * first one is the address; before them the number of files. */
uintptr_t probe_thread_late_locals(uintptr_t pointer, size_t number)
{
    const uintptr_t *words = (const uintptr_t *)pointer;
    const uintptr_t *table = words == NULL ? NULL : (const uintptr_t *)words[1];
    return table == NULL || number > table[-2] ? 0 : table[2 * number];
}
