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
#include "probe/reach/used_pages.h"
#include "probe/recorder/live_blocks.h"
#include "probe/recorder/recorder.h"
#include "probe/threads/stack_walk.h"

/* How long it waits for the names of the roots. */
#define NAMES_LIMIT_S 30

/* The registers that a function leaves as its caller had them: rbx, rbp and r12 to r15
 * by the numbers of the x86-64 ABI, table 3.36. */
static const int kept_registers[] = {3, 6, 12, 13, 14, 15};
#define KEPT_REGISTERS (sizeof(kept_registers) / sizeof(kept_registers[0]))

struct frame {
    uintptr_t code;
    uintptr_t
        begin; /* of its part of the stack, which ends where its caller's begins */
    uintptr_t kept[KEPT_REGISTERS];
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
        struct frame *frame = &work->frames[work->frames_count];
        frame->code = interrupted ? code : code - 1;
        frame->begin = _Unwind_GetCFA(context);
        for (size_t i = 0; i < KEPT_REGISTERS; i++) {
            frame->kept[i] = _Unwind_GetGR(context, kept_registers[i]);
        }
        work->frames_count++;
    }
    return _URC_NO_REASON;
}

/* Walks the thread's stack. What the unwinder calls the frame address while it is at a
 * frame is the stack pointer there: that frame's part of the stack begins at it. */
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
 * a thread keeps in there is what it was called with, and what it has to restore. The
 * frames that started the thread have no such caller: then it is the thread's outermost
 * function. 0: not known. */
static uintptr_t caller_from(size_t frame)
{
    for (size_t i = frame; i < work->frames_count; i++) {
        if (!is_lower(work->frames[i].code)) {
            return work->frames[i].code;
        }
    }
    for (size_t i = frame; i-- > 0 && frame < work->frames_count;) {
        if (!is_lower(work->frames[i].code)) {
            return work->frames[i].code;
        }
    }
    return frame < work->frames_count ? work->frames[frame].code : 0;
}

static bool frame_keeps(const struct frame *frame, uintptr_t word)
{
    bool found = false;
    for (size_t i = 0; i < KEPT_REGISTERS; i++) {
        found |= frame->kept[i] == word;
    }
    return found;
}

/* The function that has the word, which is in this frame, or in a register in it: its
 * caller, if that has it in a register which this function has saved. 0: not known. */
static uintptr_t holder_from(size_t frame, uintptr_t word)
{
    while (frame + 1 < work->frames_count &&
           frame_keeps(&work->frames[frame + 1], word)) {
        frame++;
    }
    return caller_from(frame);
}

/* The function that has the word at this address of the stack; 0: not known. */
static uintptr_t holder_at(uintptr_t address, uintptr_t word)
{
    if (address < work->stack_begin || work->frames_count == 0) {
        return 0;
    }
    size_t frame = 0;
    while (frame + 1 < work->frames_count && address >= work->frames[frame + 1].begin) {
        frame++;
    }
    return holder_from(frame, word);
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
        root.code = stack ? holder_at(at, word) : 0;
        root_add(root);
    }
    work->copy->root_bytes += region->end - region->start;
}

/* Searches a thread's registers: they are the innermost frame's. */
static void registers_search(const struct parked_thread *thread, uint32_t number)
{
    struct reach_root root = {.kind = REACH_STACK, .thread = number};
    const uintptr_t *registers = &thread->registers.rip;
    for (size_t i = 0; i < sizeof(thread->registers) / sizeof(*registers); i++) {
        root.code = holder_from(0, registers[i]);
        word_look(registers[i], root);
    }
    for (size_t i = 0; i < sizeof(thread->saved) / sizeof(thread->saved[0]); i++) {
        uintptr_t at = thread->saved[i].start;
        for (; at + sizeof(at) <= thread->saved[i].end; at += sizeof(at)) {
            root.code = holder_from(0, *(const uintptr_t *)at);
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

/* Where a thread has the variables of a library that was opened later: in which block.
 * 0: it has not used them. The thread's pointer is to tcbhead_t, whose second word is
 * the table ("dtv_t"): of each file two words, the first one is the address; before
 * them the number of files. */
static uintptr_t late_local_find(const struct parked_thread *thread, size_t number)
{
    const uintptr_t *pointer = (const uintptr_t *)thread->pointer;
    if (pointer == NULL || sigsetjmp(work->unreadable, 0) != 0) {
        return 0;
    }
    const uintptr_t *table = (const uintptr_t *)pointer[1];
    if (table == NULL || number > table[-2]) {
        return 0;
    }
    uintptr_t start = table[2 * number];
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
        for (volatile size_t j = 0; j < input->late_tls_count; j++) {
            const struct tls_part *part = &input->late_tls[j];
            uintptr_t start = late_local_find(&input->threads[i], part->number);
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
        frames_find(thread);
        regions_search(regions, count, REACH_STACK, i);
        if (sigsetjmp(work->unreadable, 0) != 0) {
            work->copy->not_read++;
        } else {
            registers_search(thread, i);
        }
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
    input->not_read = &work->copy->not_read;
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
