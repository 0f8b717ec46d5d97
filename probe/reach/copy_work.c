#include "probe/reach/copy_work.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "probe/process/descriptors.h"
#include "probe/reach/heap_mappings.h"
#include "probe/reach/maps_text.h"
#include "probe/reach/stack_frames.h"
#include "probe/reach/thread_memory.h"
#include "probe/reach/used_pages.h"
#include "probe/recorder/live_blocks.h"
#include "probe/recorder/recorder.h"
#include "probe/recorder/stack_records.h"

/* How long it waits for the names of the roots. */
#define NAMES_LIMIT_S 30

/* What the copy works with. It is in memory that is mapped after the copy was made: so
 * what it remembers of blocks is in no root. */
struct work {
    struct shared_copy *copy;
    struct block_index index;
    sigjmp_buf unreadable;
    struct stack_frames frames; /* of the thread that is searched */
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

/* When memory is short the kernel is to end this process, and not the program. */
static void be_the_first_to_end(void)
{
    static const char most[] = "1000";
    int fd = probe_proc_open("self/oom_score_adj", O_WRONLY);
    if (fd >= 0 && write(fd, most, sizeof(most) - 1) < 0) {
        return; /* then it is as likely to be ended as the program */
    }
}

/* Closes all descriptors but this one, which may be -1. */
static void descriptors_close(int kept)
{
    if (kept > 0) {
        syscall(SYS_close_range, 0U, (unsigned)kept - 1, 0);
    }
    syscall(SYS_close_range, (unsigned)(kept + 1), ~0U, 0);
}

/* Nobody else learns that this process exists: it has no descriptor of the program's,
 * so that no pipe or socket stays open; it handles no signal but that for memory which
 * cannot be read, and leaves no core file; it ends when the thread that made it does.
 */
static void be_alone(pid_t parent)
{
    struct sigaction action = {.sa_handler = on_fault, .sa_flags = SA_NODEFER};
    sigset_t faults;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) {
        syscall(SYS_exit_group, 0);
    }
    be_the_first_to_end();
    descriptors_close(probe_used_pages_open());
    prctl(PR_SET_DUMPABLE, 0);
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
    struct block_item *items = (void *)work->copy->blocks;
    items[work->copy->blocks_count++] =
        (struct block_item){address, note.bytes, note.stack};
}

/* Keeps the first bytes of each block, in the order of their addresses: so every page
 * of the heap is met once. */
static void contents_copy(void)
{
    for (uint32_t i = 0; i < work->copy->blocks_count; i++) {
        struct reach_block *block = &work->copy->blocks[i];
        size_t shown =
            block->bytes < REACH_SHOWN_BYTES ? (size_t)block->bytes : REACH_SHOWN_BYTES;
        memcpy(block->first, (const void *)block->address, shown);
    }
}

static void blocks_find(void)
{
    if (sigsetjmp(work->unreadable, 0) != 0) {
        leave(COPY_FAILED, -EFAULT);
    }
    probe_live_stopped_sums(&work->copy->in_use_blocks, &work->copy->in_use_bytes);
    work->copy->missed = probe_recorder_missed();
    probe_live_stopped_each(block_list, NULL);
    int error = probe_block_index_make((void *)work->copy->blocks,
                                       work->copy->blocks_count, &work->index);
    if (error != 0) {
        leave(COPY_FAILED, error);
    }
    contents_copy();
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

/* Walks the thread's stack. */
static void frames_find(const struct parked_thread *thread,
                        const struct process_parts *parts)
{
    probe_stack_frames_begin(&work->frames, thread, parts);
    if (sigsetjmp(work->unreadable, 0) == 0) { /* else what was found so far is right */
        probe_stack_frames_walk(&work->frames, thread);
    }
}

/* Whether the word points into the last 8 bytes of the block, where the header of the
 * next chunk begins. */
static bool is_header(uintptr_t word, const struct reach_block *block)
{
    return word != block->address &&
           word + sizeof(uintptr_t) >= block->address + block->bytes;
}

/* A stack is searched from its outermost frame inwards: of the functions that have a
 * pointer to a block, that one holds it which gave it to the others. */
static void region_search(const struct reach_region *region)
{
    bool stack = region->kind == REACH_STACK;
    uintptr_t first = (region->start + sizeof(first) - 1) & ~(sizeof(first) - 1);
    size_t count = region->end > first ? (region->end - first) / sizeof(first) : 0;
    struct reach_root root = {.kind = region->kind, .thread = region->thread};
    for (size_t i = 0; i < count; i++) {
        uintptr_t at = first + (stack ? count - 1 - i : i) * sizeof(at);
        uintptr_t word = *(const uintptr_t *)at;
        root.block = probe_block_index_find(&work->index, word);
        if (root.block == REACH_NONE ||
            (region->libc && is_header(word, &work->copy->blocks[root.block]))) {
            continue;
        }
        root.place = at;
        root.code = stack ? probe_stack_frames_holder(&work->frames, at, word) : 0;
        root_add(root);
    }
}

/* Searches words of a thread's registers: they are the innermost frame's. */
static void registers_search(uintptr_t start, uintptr_t end, uint32_t thread)
{
    struct reach_root root = {.kind = REACH_STACK, .thread = thread};
    for (uintptr_t at = start; at + sizeof(at) <= end; at += sizeof(at)) {
        root.code = probe_stack_frames_register_holder(&work->frames, word_at(at));
        word_look(word_at(at), root);
    }
}

static void thread_registers_search(const struct parked_thread *thread, uint32_t number)
{
    uintptr_t registers = (uintptr_t)&thread->registers;
    registers_search(registers, registers + sizeof(thread->registers), number);
    for (size_t i = 0; i < sizeof(thread->saved) / sizeof(thread->saved[0]); i++) {
        registers_search(thread->saved[i].start, thread->saved[i].end, number);
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

/* Where a thread has the variables of a library that was opened later: in which block.
 * 0: it has not used them. */
static uintptr_t late_locals_find(const struct parked_thread *thread, size_t number)
{
    if (sigsetjmp(work->unreadable, 0) != 0) {
        return 0;
    }
    uintptr_t start = probe_thread_late_locals(thread->pointer, number);
    uint32_t block = probe_block_index_find(&work->index, start);
    if (block == REACH_NONE) {
        return 0;
    }
    work->copy->blocks[block].searched = true;
    return start;
}

/* Searches the thread-local variables of libraries that were opened later. */
static void late_locals_search(const struct regions_input *input)
{
    for (volatile uint32_t i = 0; i < input->threads_count; i++) {
        for (volatile size_t j = 0; j < input->parts->late_tls_count; j++) {
            const struct tls_part *part = &input->parts->late_tls[j];
            uintptr_t start = late_locals_find(&input->threads[i], part->number);
            if (start == 0 || sigsetjmp(work->unreadable, 0) != 0) {
                continue;
            }
            struct reach_root root = {
                .kind = REACH_THREAD_LOCAL, .thread = i, .code = part->code};
            for (; root.place + sizeof(uintptr_t) <= part->bytes;
                 root.place += sizeof(uintptr_t)) {
                word_look(*(const uintptr_t *)(start + root.place), root);
            }
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
        frames_find(thread, input->parts);
        regions_search(regions, count, REACH_STACK, i);
        if (sigsetjmp(work->unreadable, 0) != 0) {
            work->copy->not_read++;
        } else {
            thread_registers_search(thread, i);
        }
    }
    work->copy->threads_count = input->threads_count;
    work->frames.count = 0;
    regions_search(regions, count, REACH_STACK, REACH_NONE);
}

/* What the allocator's library has allocated by itself, as when it made itself ready,
 * it keeps in its books, which are no roots. */
static void allocators_own_find(const struct process_parts *parts)
{
    struct reach_root root = {
        .kind = REACH_GLOBAL, .thread = REACH_NONE, .place = parts->allocator_data};
    uint32_t count = parts->allocator.end == 0 ? 0 : work->copy->blocks_count;
    for (root.block = 0; root.block < count; root.block++) {
        const struct stack_record *stack =
            probe_record_at(work->copy->blocks[root.block].stack);
        if (stack->depth > 0 && range_has(parts->allocator, stack->frames[0])) {
            root_add(root);
        }
    }
}

static void roots_find(struct regions_input *input)
{
    input->index = &work->index;
    input->not_read = &work->copy->not_read;
    input->own = probe_own_memory_ranges(&input->own_count);
    bool all;
    input->heap = probe_heap_mappings(&input->heap_count, &all);
    work->copy->heap_unsure = !all;
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
    allocators_own_find(input->parts);
    regions_search(regions, (size_t)count, REACH_THREAD_LOCAL, REACH_NONE);
    late_locals_search(input);
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
    size_t bytes = (input->threads_count + 1) * sizeof(struct range);
    struct range *parts =
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
    shared->not_read = probe_maps_take_gaps(shared->maps);
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
                            &idle, work->copy->reached, &work->copy->reached_count);
    leave(error == 0 ? COPY_DONE : COPY_FAILED, error);
}
