#include "probe/reach/copy_work.h"

#include <errno.h>
#include <linux/futex.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "probe/recorder/live_blocks.h"
#include "probe/threads/stack_walk.h"

/* How long it waits for the names of the roots. */
#define NAMES_LIMIT_S 30

struct frame {
    uintptr_t code;
    uintptr_t end; /* of its part of the stack */
};

/* What the copy works with. It is in memory that is mapped after the copy was made: so
 * what it remembers of blocks is in no root. */
struct work {
    struct shared_copy *copy;
    struct block_index index;
    sigjmp_buf unreadable;

    struct frame frames[COPY_FRAMES_MAX]; /* of one thread, the innermost first */
    size_t frames_count;
    uintptr_t stack_begin; /* of that thread */
    const struct own_range *lower;
    size_t lower_count;
};

static struct work *work;

static void leave(enum copy_state state, int error) __attribute__((noreturn));
static void leave(enum copy_state state, int error)
{
    work->copy->error = error;
    atomic_store(&work->copy->state, state);
    for (;;) {
        syscall(SYS_exit_group, 0);
    }
}

/* ---- Alone ---- */

static void on_fault(int signal)
{
    (void)signal;
    siglongjmp(work->unreadable, 1);
}

/* Nobody else learns that this process exists: it has no descriptor of the program's,
 * so that no pipe or socket stays open; it handles no signal but that for memory which
 * cannot be read; it ends when the thread that made it does. */
static void be_alone(pid_t parent)
{
    struct sigaction action = {.sa_handler = on_fault, .sa_flags = SA_NODEFER};
    sigset_t faults;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) {
        syscall(SYS_exit_group, 0);
    }
    syscall(SYS_close_range, 0U, ~0U, 0);
    sigemptyset(&faults);
    sigaddset(&faults, SIGSEGV);
    sigaddset(&faults, SIGBUS);
    sigaction(SIGSEGV, &action, NULL);
    sigaction(SIGBUS, &action, NULL);
    sigprocmask(SIG_UNBLOCK, &faults, NULL);
}

/* ---- Blocks ---- */

static void block_list(uintptr_t address, struct recorder_note note, void *argument)
{
    (void)argument;
    if (work->copy->blocks_count == work->copy->blocks_room) {
        leave(COPY_FAILED, -EAGAIN); /* there are many more than a moment ago */
    }
    struct reach_block *block = &work->copy->blocks[work->copy->blocks_count++];
    *block = (struct reach_block){
        .address = address, .bytes = note.bytes, .stack = note.stack};
    size_t shown = note.bytes < REACH_SHOWN_BYTES ? note.bytes : REACH_SHOWN_BYTES;
    memcpy(block->first, (const void *)address, shown);
}

static void blocks_find(void)
{
    if (sigsetjmp(work->unreadable, 0) != 0) {
        leave(COPY_FAILED, -EFAULT);
    }
    probe_live_sums(&work->copy->in_use_blocks, &work->copy->in_use_bytes);
    probe_live_stopped_each(block_list, NULL);
    int error = probe_block_index_make(work->copy->blocks, work->copy->blocks_count,
                                       &work->index);
    if (error != 0) {
        leave(COPY_FAILED, error);
    }
}

/* ---- Roots ---- */

static void root_add(struct reach_root root)
{
    if (work->copy->roots_count == COPY_ROOTS_MAX) {
        leave(COPY_FAILED, -E2BIG);
    }
    work->copy->roots[work->copy->roots_count++] = root;
}

/* If the word points to a block, that is a root. */
static void word_look(uintptr_t word, struct reach_root root)
{
    root.block = probe_block_index_find(&work->index, word);
    if (root.block != REACH_NONE) {
        root_add(root);
    }
}

static _Unwind_Reason_Code frame_note(struct _Unwind_Context *context, void *argument)
{
    bool *inside = argument;
    int interrupted = 0;
    uintptr_t code = _Unwind_GetIPInfo(context, &interrupted);
    *inside |= interrupted != 0;
    if (*inside && code != 0) {
        if (work->frames_count == COPY_FRAMES_MAX) {
            return _URC_END_OF_STACK;
        }
        work->frames[work->frames_count].code = interrupted ? code : code - 1;
        work->frames[work->frames_count++].end = _Unwind_GetCFA(context);
    }
    return _URC_NO_REASON;
}

/* Walks the thread's stack. A frame's part of the stack ends where that of its caller
 * begins, which the unwinder calls the frame address of the caller. */
static void frames_find(const struct parked_thread *thread)
{
    work->frames_count = 0;
    work->stack_begin = thread->sp;
    if (!thread->shown || sigsetjmp(work->unreadable, 0) != 0) {
        return; /* what was found so far is right */
    }
    bool inside = false;
    probe_stack_walk(&thread->registers, frame_note, &inside);
    if (thread->leaf != 0 && work->frames_count > 0) {
        work->frames[0].code = thread->leaf;
    }
}

static bool is_lower(uintptr_t code)
{
    for (size_t i = 0; i < work->lower_count; i++) {
        if (code >= work->lower[i].start && code < work->lower[i].end) {
            return true;
        }
    }
    return false;
}

/* The function of this frame, or of the first caller that is not the C library's: what
 * a thread keeps in there is what it was called with, and what it has to restore. 0:
 * not known. */
static uintptr_t caller_from(size_t frame)
{
    for (size_t i = frame; i < work->frames_count; i++) {
        if (!is_lower(work->frames[i].code)) {
            return work->frames[i].code;
        }
    }
    return frame < work->frames_count ? work->frames[frame].code : 0;
}

/* The function in whose frame the address is; 0: not known. */
static uintptr_t frame_of(uintptr_t address)
{
    for (size_t i = 0; address >= work->stack_begin && i < work->frames_count; i++) {
        if (address < work->frames[i].end) {
            return caller_from(i);
        }
    }
    return 0;
}

/* Whether the word points into the last 8 bytes of the block, where the header of the
 * next chunk begins. */
static bool is_header(uintptr_t word, const struct reach_block *block)
{
    return word != block->address &&
           word + sizeof(uintptr_t) >= block->address + block->bytes;
}

static void region_search(const struct reach_region *region)
{
    uintptr_t at = (region->start + sizeof(at) - 1) & ~(sizeof(at) - 1);
    struct reach_root root = {.kind = region->kind, .thread = region->thread};
    for (; at + sizeof(at) <= region->end; at += sizeof(at)) {
        uintptr_t word = *(const uintptr_t *)at;
        root.block = probe_block_index_find(&work->index, word);
        if (root.block == REACH_NONE ||
            (region->libc && is_header(word, &work->copy->blocks[root.block]))) {
            continue;
        }
        root.place = at;
        root.code = region->kind == REACH_STACK ? frame_of(at) : 0;
        root_add(root);
    }
    work->copy->root_bytes += region->end - region->start;
}

/* Searches a thread's registers: they are the innermost frame's. */
static void registers_search(const struct parked_thread *thread, uint32_t number)
{
    struct reach_root root = {
        .kind = REACH_STACK, .thread = number, .code = caller_from(0)};
    const uintptr_t *registers = &thread->registers.rip;
    for (size_t i = 0; i < sizeof(thread->registers) / sizeof(*registers); i++) {
        word_look(registers[i], root);
    }
    for (size_t i = 0; i < sizeof(thread->saved) / sizeof(thread->saved[0]); i++) {
        uintptr_t at = thread->saved[i].start;
        for (; at + sizeof(at) <= thread->saved[i].end; at += sizeof(at)) {
            word_look(*(const uintptr_t *)at, root);
        }
    }
}

/* Searches the regions of a kind; of stacks, those of one thread. */
static void regions_search(const struct reach_region *regions, size_t count,
                           enum reach_kind kind, uint32_t thread)
{
    for (volatile size_t i = 0; i < count; i++) {
        if (regions[i].kind != kind ||
            (kind == REACH_STACK && regions[i].thread != thread)) {
            continue;
        }
        if (sigsetjmp(work->unreadable, 0) != 0) {
            work->copy->not_read++;
        } else {
            region_search(&regions[i]);
        }
    }
}

static void stacks_search(const struct regions_input *input,
                          const struct reach_region *regions, size_t count)
{
    for (volatile uint32_t i = 0; i < input->threads_count; i++) {
        const struct parked_thread *thread = &input->threads[i];
        work->copy->threads[i] = (struct copy_thread){thread->tid, thread->pointer};
        work->copy->inexact += !thread->exact;
        frames_find(thread);
        if (sigsetjmp(work->unreadable, 0) != 0) {
            work->copy->not_read++;
            continue;
        }
        registers_search(thread, i);
        regions_search(regions, count, REACH_STACK, i);
    }
    work->copy->threads_count = input->threads_count;
    work->frames_count = 0;
    regions_search(regions, count, REACH_STACK, REACH_NONE);
}

static void roots_find(struct regions_input *input)
{
    work->lower = input->lower;
    work->lower_count = input->lower_count;
    input->index = &work->index;
    input->own = probe_own_memory_ranges(&input->own_count);
    size_t bytes = COPY_REGIONS_MAX * sizeof(struct reach_region);
    struct reach_region *regions =
        mmap(NULL, bytes, PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (sigsetjmp(work->unreadable, 0) != 0) {
        leave(COPY_FAILED, -EFAULT);
    }
    long count = regions == MAP_FAILED
                     ? -1
                     : probe_regions_make(input, regions, COPY_REGIONS_MAX);
    if (count < 0 || (size_t)count > COPY_REGIONS_MAX) {
        leave(COPY_FAILED, count < 0 ? -ENOMEM : -E2BIG);
    }
    regions_search(regions, (size_t)count, REACH_GLOBAL, REACH_NONE);
    regions_search(regions, (size_t)count, REACH_THREAD_LOCAL, REACH_NONE);
    stacks_search(input, regions, (size_t)count);
    regions_search(regions, (size_t)count, REACH_THREAD, REACH_NONE);
    regions_search(regions, (size_t)count, REACH_MAPPING, REACH_NONE);
    for (size_t i = 0; i < work->copy->words_count; i++) {
        word_look(work->copy->words[i].word,
                  (struct reach_root){.kind = REACH_KERNEL,
                                      .code = (uintptr_t)work->copy->words[i].what});
    }
}

static struct flood_idle idle_find(const struct regions_input *input)
{
    size_t bytes = (input->threads_count + 1) * sizeof(struct memory_part);
    struct memory_part *parts =
        mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (parts == MAP_FAILED) {
        leave(COPY_FAILED, -ENOMEM);
    }
    return (struct flood_idle){parts, probe_regions_idle(input, parts)};
}

/* Waits until the process has named the roots. */
static void names_await(void)
{
    struct timespec limit = {.tv_sec = NAMES_LIMIT_S};
    atomic_store(&work->copy->state, COPY_ROOTS);
    while (atomic_load(&work->copy->state) == COPY_ROOTS) {
        if (syscall(SYS_futex, &work->copy->state, FUTEX_WAIT, COPY_ROOTS, &limit, NULL,
                    0) != 0 &&
            errno == ETIMEDOUT) {
            leave(COPY_FAILED, -ETIMEDOUT);
        }
    }
}

void probe_copy_work(struct shared_copy *shared, struct regions_input *input,
                     pid_t parent)
{
    work = mmap(NULL, sizeof(*work), PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (work == MAP_FAILED) {
        shared->error = -ENOMEM;
        atomic_store(&shared->state, COPY_FAILED);
        syscall(SYS_exit_group, 0);
    }
    work->copy = shared;
    be_alone(parent);
    blocks_find();
    roots_find(input);
    names_await();
    if (sigsetjmp(work->unreadable, 0) != 0) {
        leave(COPY_FAILED, -EFAULT);
    }
    struct flood_idle idle = idle_find(input);
    int error = probe_flood(&work->index, work->copy->roots, work->copy->roots_count,
                            &idle, &work->copy->first);
    leave(error == 0 ? COPY_DONE : COPY_FAILED, error);
}
