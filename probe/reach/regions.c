/*
 * Every mapping is cut into what it is: a library's data, a stack, a thread's
 * variables, other memory. From each part the holes are then taken away. The kernel
 * joins neighbouring mappings into one, so a hole may be anywhere in a mapping.
 */
#include "probe/reach/regions.h"

#include <string.h>
#include <sys/mman.h>

#include "probe/reach/used_pages.h"

#define PAGE ((uintptr_t)4096)
#define THREAD_BYTES                                                                   \
    4096 /* of what the C library keeps at a thread's pointer, and more */
#define ARENA_BYTES ((uintptr_t)64 * 1024 * 1024)
#define STACKS_MAX 1000000 /* that the C library may have */

/* Memory without access is searched up to this size: more is mostly not used at all. */
#define NO_ACCESS_BYTES ((uintptr_t)16 * 1024 * 1024)

/* Parts of private memory that are smaller are not worth leaving out. */
#define UNUSED_BYTES ((uintptr_t)256 * 1024)

/* In the size of a chunk, see "malloc_chunk" in glibc's malloc/malloc.c. */
#define CHUNK_MAPPED 2U
#define CHUNK_OTHER_ARENA 4U
#define CHUNK_BITS 7U

struct range {
    uintptr_t start;
    uintptr_t end;
};

/* A growing array of ranges, in memory from mmap. */
struct ranges {
    struct range *data;
    size_t count;
    size_t room;
    bool failed;
};

/* A line of the maps. */
struct line {
    struct range range;
    bool readable;
    bool writable;
    bool shared;
    const char *path;
    size_t path_bytes;
};

struct work {
    const struct regions_input *input;
    struct ranges holes;
    struct range *stacks;       /* each thread's own; {0, 0}: not known */
    struct reach_region *found; /* not in order */
    size_t found_count;
    size_t found_room;
    bool failed;
};

/* ---- Arrays ---- */

/* An array twice as large, with the old one's contents; NULL if memory is short. */
static void *array_grow(void *data, size_t room, size_t item, size_t *ret_room)
{
    *ret_room = room == 0 ? 4096 : room * 2;
    void *larger = mmap(NULL, *ret_room * item, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (larger == MAP_FAILED) {
        return NULL;
    }
    if (data != NULL) {
        memcpy(larger, data, room * item);
        munmap(data, room * item);
    }
    return larger;
}

static void ranges_add(struct ranges *ranges, uintptr_t start, uintptr_t end)
{
    if (ranges->failed || start >= end) {
        return;
    }
    if (ranges->count == ranges->room) {
        size_t room;
        struct range *larger =
            array_grow(ranges->data, ranges->room, sizeof(*ranges->data), &room);
        if (larger == NULL) {
            ranges->failed = true;
            return;
        }
        ranges->data = larger;
        ranges->room = room;
    }
    ranges->data[ranges->count++] = (struct range){start, end};
}

static void sift(struct range *data, size_t at, size_t count)
{
    for (size_t child; (child = 2 * at + 1) < count; at = child) {
        if (child + 1 < count && data[child + 1].start > data[child].start) {
            child++;
        }
        if (data[at].start >= data[child].start) {
            return;
        }
        struct range other = data[at];
        data[at] = data[child];
        data[child] = other;
    }
}

/* Sorts and joins what overlaps. A heap sort: the C library's qsort calls malloc. */
static void ranges_sort(struct ranges *ranges)
{
    struct range *data = ranges->data;
    for (size_t i = ranges->count / 2; i-- > 0;) {
        sift(data, i, ranges->count);
    }
    for (size_t left = ranges->count; left-- > 1;) {
        struct range first = data[0];
        data[0] = data[left];
        data[left] = first;
        sift(data, 0, left);
    }
    size_t kept = 0;
    for (size_t i = 0; i < ranges->count; i++) {
        if (kept > 0 && data[i].start <= data[kept - 1].end) {
            if (data[i].end > data[kept - 1].end) {
                data[kept - 1].end = data[i].end;
            }
        } else {
            data[kept++] = data[i];
        }
    }
    ranges->count = kept;
}

static void region_add(struct work *work, struct reach_region region)
{
    if (work->failed || region.start >= region.end) {
        return;
    }
    if (work->found_count == work->found_room) {
        size_t room;
        struct reach_region *larger =
            array_grow(work->found, work->found_room, sizeof(*work->found), &room);
        if (larger == NULL) {
            work->failed = true;
            return;
        }
        work->found = larger;
        work->found_room = room;
    }
    work->found[work->found_count++] = region;
}

/* Adds the region without its holes. */
static void region_add_rest(struct work *work, struct reach_region region)
{
    const struct ranges *holes = &work->holes;
    size_t low = 0; /* the first hole that ends behind the region's start */
    size_t high = holes->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (holes->data[middle].end <= region.start) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    for (; low < holes->count && holes->data[low].start < region.end; low++) {
        struct reach_region before = region;
        before.end = holes->data[low].start;
        region_add(work, before);
        region.start = holes->data[low].end;
    }
    region_add(work, region);
}

/* ---- The maps ---- */

static const char *hexadecimal_read(const char *at, uintptr_t *ret_number)
{
    *ret_number = 0;
    for (;; at++) {
        unsigned digit;
        if (*at >= '0' && *at <= '9') {
            digit = (unsigned)(*at - '0');
        } else if (*at >= 'a' && *at <= 'f') {
            digit = (unsigned)(*at - 'a') + 10;
        } else {
            return at;
        }
        *ret_number = *ret_number << 4 | digit;
    }
}

/* Skips a field and the spaces behind it. */
static const char *field_skip(const char *at)
{
    while (*at != ' ' && *at != '\n' && *at != '\0') {
        at++;
    }
    while (*at == ' ') {
        at++;
    }
    return at;
}

/* Reads a line, "55d0c000-55d0d000 rw-p 00000000 08:01 123   /usr/bin/x", and returns
 * the next one; NULL at the end. */
static const char *line_read(const char *at, struct line *ret_line)
{
    if (*at == '\0') {
        return NULL;
    }
    at = hexadecimal_read(at, &ret_line->range.start);
    at = hexadecimal_read(at + (*at == '-'), &ret_line->range.end);
    at += *at == ' ';
    ret_line->readable = at[0] == 'r';
    ret_line->writable = at[0] != '\0' && at[1] == 'w';
    ret_line->shared = ret_line->writable && at[2] != '\0' && at[3] == 's';
    for (int i = 0; i < 4; i++) {
        at = field_skip(at);
    }
    ret_line->path = at;
    while (*at != '\n' && *at != '\0') {
        at++;
    }
    ret_line->path_bytes = (size_t)(at - ret_line->path);
    return at + (*at == '\n');
}

static bool path_begins(const struct line *line, const char *text)
{
    size_t bytes = strlen(text);
    return line->path_bytes >= bytes && memcmp(line->path, text, bytes) == 0;
}

static bool path_is(const struct line *line, const char *text)
{
    return line->path_bytes == strlen(text) && path_begins(line, text);
}

/* Whether reading it may have effects, or it belongs to the kernel. */
static bool is_special(const struct line *line)
{
    bool device = path_begins(line, "/dev/") && !path_begins(line, "/dev/shm/") &&
                  !path_begins(line, "/dev/zero");
    bool kernel = path_begins(line, "[v") || path_begins(line, "anon_inode:");
    return device || kernel;
}

/* ---- Holes ---- */

static uintptr_t word_at(uintptr_t address)
{
    uintptr_t word;
    memcpy(&word, (const void *)address, sizeof(word));
    return word;
}

/* What the C library's allocator uses for this block: its mapping if it has one of its
 * own, its arena. Blocks of the main arena are in [heap], or where `in_mapping`. */
static struct range chunk_range(const struct reach_block *block)
{
    uintptr_t chunk = block->address - 2 * sizeof(uintptr_t);
    uintptr_t size = word_at(chunk + sizeof(uintptr_t));
    struct range none = {0, 0};
    if ((size & CHUNK_MAPPED) != 0) {
        uintptr_t before = word_at(chunk); /* of the mapping, before the chunk */
        uintptr_t bytes = size & ~(uintptr_t)CHUNK_BITS;
        struct range range = {chunk - before, chunk + bytes};
        /* The program may have written over it. */
        bool whole = before <= chunk && bytes >= block->bytes &&
                     range.start % PAGE == 0 && range.end % PAGE == 0;
        return whole ? range : none;
    }
    if ((size & CHUNK_OTHER_ARENA) != 0) {
        uintptr_t arena = chunk & ~(ARENA_BYTES - 1);
        return (struct range){arena, arena + ARENA_BYTES};
    }
    return none;
}

/* The blocks of the C library's allocator; ret_others gets whether there may be blocks
 * of the main arena outside of [heap]. */
static void holes_of_chunks(struct work *work)
{
    const struct block_index *index = work->input->index;
    struct range last = {0, 0};
    for (uint32_t i = 0; i < index->count; i++) {
        uintptr_t address = index->blocks[i].address;
        if (address >= last.start && address < last.end) {
            continue;
        }
        struct range range = chunk_range(&index->blocks[i]);
        if (range.start < range.end) {
            ranges_add(&work->holes, range.start, range.end);
            last = range;
        }
    }
}

/* The number of the first block at the address or behind it. */
static uint32_t block_from(const struct block_index *index, uintptr_t address)
{
    uint32_t low = 0;
    uint32_t high = index->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (index->blocks[middle].address < address) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* Whether the mapping has a block that is in none of the holes so far: then all of it
 * is the allocator's. */
static bool has_block(const struct work *work, struct range range)
{
    const struct block_index *index = work->input->index;
    uint32_t number = block_from(index, range.start);
    for (; number < index->count; number++) {
        const struct reach_block *block = &index->blocks[number];
        if (block->address >= range.end) {
            return false;
        }
        if (!work->input->glibc || chunk_range(block).start == 0) {
            return true;
        }
    }
    return false;
}

/* The stack of the thread with this pointer, as the C library has it. {0, 0} if it is
 * not known: then it is the kernel's, as that of the main thread. */
static struct range stack_of(const struct regions_input *input, uintptr_t pointer)
{
    struct range none = {0, 0};
    if (input->stack_offset == 0 || pointer == 0) {
        return none;
    }
    uintptr_t start = word_at(pointer + input->stack_offset);
    uintptr_t bytes = word_at(pointer + input->stack_offset + sizeof(start));
    bool is_within = start != 0 && start <= pointer && pointer - start < bytes;
    return is_within ? (struct range){start, start + bytes} : none;
}

static bool is_alive(const struct regions_input *input, uintptr_t pointer)
{
    pid_t tid;
    memcpy(&tid, (const void *)(pointer + input->tid_offset), sizeof(tid));
    for (size_t i = 0; i < input->threads_count; i++) {
        if (input->threads[i].pointer == pointer || input->threads[i].tid == tid) {
            return true;
        }
    }
    return false;
}

/* Whether this is a thread's pointer: its data begins with two pointers to itself
 * ("tcb" and "self" of tcbhead_t). */
static bool is_pointer(uintptr_t at)
{
    return word_at(at) == at && word_at(at + 2 * sizeof(uintptr_t)) == at;
}

/* The head of the list in which the C library has the thread's stack. The list goes
 * round; its links are before the tid ("list" of struct pthread). 0: not found. */
static uintptr_t list_of(const struct regions_input *input, uintptr_t pointer)
{
    size_t offset = input->tid_offset - 2 * sizeof(uintptr_t);
    uintptr_t at = pointer + offset;
    for (unsigned i = 0; i < STACKS_MAX && at != 0; i++) {
        if (!is_pointer(at - offset)) {
            return at;
        }
        at = word_at(at);
    }
    return 0;
}

/* Whether the C library has the stack of a thread that has ended in its list of those
 * in use, as until the thread is joined. The main thread is in another list, whose head
 * is right behind ("_dl_stack_used" and "_dl_stack_user" of rtld_global). */
static bool is_in_use(const struct regions_input *input, uintptr_t pointer)
{
    uintptr_t own = list_of(input, input->own_pointer);
    uintptr_t used = own == 0 || !input->main_asks ? own : own - 2 * sizeof(uintptr_t);
    uintptr_t its = list_of(input, pointer);
    return used == 0 || its == 0 || its == used; /* not known: so it may be */
}

static bool has_stack(const struct regions_input *input, struct range range)
{
    for (size_t i = 0; i < input->threads_count; i++) {
        if (input->threads[i].sp >= range.start && input->threads[i].sp < range.end) {
            return true;
        }
    }
    return false;
}

/* The stack of a thread that has ended is a hole: it waits for the next thread. What
 * the C library knows of the ended one is at the upper end, and still leads to the
 * table of its variables ("dtv" of tcbhead_t), which is freed or used again later. If
 * nobody has joined the thread, its result is still to be had. */
static void holes_of_ended(struct work *work, uintptr_t pointer, struct range stack)
{
    struct reach_region kept = {pointer + sizeof(uintptr_t),
                                pointer + 2 * sizeof(uintptr_t), REACH_NONE,
                                REACH_THREAD, false};
    if (is_in_use(work->input, pointer)) {
        kept.start = pointer;
        kept.end = stack.end;
    }
    ranges_add(&work->holes, stack.start, stack.end);
    region_add(work, kept);
}

/* Whether the pointer is of the thread whose stack begins with the range. If that
 * thread has ended, its stack is a hole. */
static bool hole_of_stack(struct work *work, struct range range, uintptr_t pointer)
{
    const struct regions_input *input = work->input;
    struct range stack = stack_of(input, pointer);
    uintptr_t guard = word_at(pointer + input->stack_offset + 2 * sizeof(uintptr_t));
    if (stack.end == 0 || guard == 0 || stack.start + guard != range.start ||
        stack.end > range.end) {
        return false;
    }
    if (!is_alive(input, pointer)) {
        stack.start = range.start;
        holes_of_ended(work, pointer, stack);
    }
    return true;
}

/* A stack that the C library has mapped begins with its guard, which cannot be read; so
 * the readable mapping begins right behind that. */
static void holes_of_stack(struct work *work, struct range range)
{
    const struct regions_input *input = work->input;
    if (input->stack_offset == 0 || input->tid_offset == 0) {
        return;
    }
    struct memory_part used = {range.start, range.start};
    uintptr_t last = range.end - THREAD_BYTES / 2;
    while (probe_used_pages_next(used.end, range.end, false, &used)) {
        for (uintptr_t at = used.start; at < used.end && at < last; at += 64) {
            if (is_pointer(at) && hole_of_stack(work, range, at)) {
                return; /* behind the next stack is another guard */
            }
        }
    }
}

/* Arenas without a block that is in use: their freed blocks may still have pointers.
 * See "heap_info" in glibc's malloc/arena.c: each part of an arena is at a multiple of
 * its greatest size, and begins with the arena, the part before it, and two sizes. */
static void holes_of_arenas(struct work *work, struct range range)
{
    uintptr_t at = (range.start + ARENA_BYTES - 1) & ~(ARENA_BYTES - 1);
    for (; at < range.end; at += ARENA_BYTES) {
        uintptr_t arena = word_at(at);
        uintptr_t before = word_at(at + sizeof(uintptr_t));
        uintptr_t used = word_at(at + 2 * sizeof(uintptr_t));
        uintptr_t mapped = word_at(at + 3 * sizeof(uintptr_t));
        bool is_first = before == 0 && arena > at && arena < at + PAGE;
        bool is_next = before != 0 && before % ARENA_BYTES == 0 && arena > before;
        if ((is_first || is_next) && used != 0 && used <= mapped &&
            mapped <= ARENA_BYTES && mapped % PAGE == 0) {
            ranges_add(&work->holes, at, at + ARENA_BYTES);
        }
    }
}

/* Whether it is in the copy, too: the program may have told the kernel to leave it out
 * (MADV_DONTFORK in madvise(2)). */
static bool is_copied(const struct line *line)
{
    unsigned char state;
    return mincore((void *)line->range.start, PAGE, &state) == 0;
}

/* Whether it is memory that several processes share, and not a file on a disk. */
static bool is_shared_memory(const struct line *line)
{
    return line->shared &&
           (path_begins(line, "/dev/zero") || path_begins(line, "/dev/shm/") ||
            path_begins(line, "/memfd:") || path_begins(line, "/SYSV"));
}

/* The large parts of private memory that the program has never used; and whatever it
 * has not used of shared memory. */
static void holes_of_unused(struct work *work, const struct line *line)
{
    bool shared = is_shared_memory(line);
    bool private = !line->shared && line->path_bytes == 0;
    struct memory_part used = {line->range.start, line->range.start};
    uintptr_t least = shared ? PAGE : UNUSED_BYTES;
    uintptr_t end = line->range.end;
    bool found = false;
    if (!shared && (!private || end - used.end < least)) {
        return;
    }
    while (used.end < end) {
        uintptr_t at = used.end;
        if (!probe_used_pages_next(at, end, shared, &used)) {
            used = (struct memory_part){end, end};
        }
        if (used.start - at >= least) {
            ranges_add(&work->holes, at, used.start);
            found = true;
        }
    }
    if (found && shared && probe_used_pages_may_miss_shared()) {
        (*work->input->not_read)++;
    }
}

/* The holes that a mapping shows. `behind_guard`: right before it is memory that cannot
 * be read. */
static void holes_of_line(struct work *work, const struct line *line, bool behind_guard)
{
    const struct regions_input *input = work->input;
    bool anonymous = line->path_bytes == 0;
    if (!line->readable || is_special(line) || !is_copied(line)) {
        return;
    }
    if (!has_stack(input, line->range)) {
        holes_of_unused(work, line);
    }
    if (path_is(line, "[heap]")) {
        /* Only if the allocator uses it. */
        if (has_block(work, line->range) || input->glibc) {
            ranges_add(&work->holes, line->range.start, line->range.end);
        }
    } else if (line->writable && !has_stack(input, line->range) &&
               has_block(work, line->range)) {
        ranges_add(&work->holes, line->range.start, line->range.end);
    } else if (anonymous && line->writable) {
        if (input->glibc) {
            holes_of_arenas(work, line->range);
        }
        if (behind_guard) {
            holes_of_stack(work, line->range);
        }
    }
}

static void holes_find(struct work *work)
{
    const struct regions_input *input = work->input;
    struct line line;
    for (size_t i = 0; i < input->own_count; i++) {
        ranges_add(&work->holes, input->own[i].start, input->own[i].end);
    }
    for (size_t i = 0; i < input->segments_count; i++) {
        if (input->segments[i].left_out) {
            ranges_add(&work->holes, input->segments[i].start, input->segments[i].end);
        }
    }
    if (input->glibc) {
        holes_of_chunks(work);
    }
    uintptr_t guard_end = 0;
    for (const char *at = input->maps; (at = line_read(at, &line)) != NULL;) {
        holes_of_line(work, &line, guard_end == line.range.start);
        guard_end = line.readable ? 0 : line.range.end;
    }
    ranges_sort(&work->holes);
}

/* ---- Regions ---- */

/* Adds a part of a mapping that is no stack: what a data segment covers is global. */
static void part_add(struct work *work, struct range part, uint32_t thread,
                     enum reach_kind kind)
{
    const struct regions_input *input = work->input;
    for (size_t i = 0; i < input->segments_count && kind == REACH_MAPPING; i++) {
        const struct data_segment *segment = &input->segments[i];
        uintptr_t start = segment->start > part.start ? segment->start : part.start;
        uintptr_t end = segment->end < part.end ? segment->end : part.end;
        if (start < end) {
            part_add(work, (struct range){part.start, start}, thread, kind);
            region_add_rest(work, (struct reach_region){start, end, REACH_NONE,
                                                        REACH_GLOBAL, segment->libc});
            part.start = end;
        }
    }
    region_add_rest(work,
                    (struct reach_region){part.start, part.end, thread, kind, false});
}

static uintptr_t clamp(uintptr_t address, struct range range)
{
    address = address < range.start ? range.start : address;
    return address > range.end ? range.end : address;
}

/* Adds a range that may have the thread's variables, and behind them what the C library
 * keeps of the thread. */
static void thread_part_add(struct work *work, struct range range, uint32_t thread,
                            enum reach_kind kind)
{
    uintptr_t pointer = work->input->threads[thread].pointer;
    uintptr_t from = 0;
    uintptr_t middle = 0;
    uintptr_t to = 0;
    if (pointer != 0) {
        from = clamp(pointer - work->input->tls_bytes, range);
        middle = clamp(pointer, range);
        to = clamp(pointer + THREAD_BYTES, range);
    }
    if (from >= to) {
        part_add(work, range, kind == REACH_STACK ? thread : REACH_NONE, kind);
        return;
    }
    part_add(work, (struct range){range.start, from},
             kind == REACH_STACK ? thread : REACH_NONE, kind);
    region_add_rest(
        work, (struct reach_region){from, middle, thread, REACH_THREAD_LOCAL, false});
    region_add_rest(work,
                    (struct reach_region){middle, to, thread, REACH_THREAD, false});
    part_add(work, (struct range){to, range.end}, REACH_NONE, REACH_MAPPING);
}

/* The thread whose value lies in the range and is the smallest one above `after`;
 * REACH_NONE if there is none. */
static uint32_t thread_next(const struct regions_input *input, bool by_pointer,
                            struct range range, uintptr_t after)
{
    uint32_t best = REACH_NONE;
    uintptr_t best_value = range.end;
    for (size_t i = 0; i < input->threads_count; i++) {
        const struct parked_thread *thread = &input->threads[i];
        uintptr_t value = by_pointer ? thread->pointer : thread->sp;
        if (value != 0 && value > after && value < best_value) {
            best = (uint32_t)i;
            best_value = value;
        }
    }
    return best;
}

/* A mapping with stacks that are not the C library's: each reaches from its stack
 * pointer to the next one's. What is below the first is not in use if it is the
 * kernel's stack of the main thread; else it may be anything. */
static void stacks_add(struct work *work, const struct line *line, struct range range,
                       uint32_t first)
{
    const struct regions_input *input = work->input;
    if (!path_is(line, "[stack]")) {
        struct range below = {range.start, input->threads[first].sp};
        part_add(work, below, REACH_NONE, REACH_MAPPING);
    }
    for (uint32_t thread = first; thread != REACH_NONE;) {
        uintptr_t sp = input->threads[thread].sp;
        uint32_t next = thread_next(input, false, range, sp);
        uintptr_t end = next == REACH_NONE ? range.end : input->threads[next].sp;
        thread_part_add(work, (struct range){sp, end}, thread, REACH_STACK);
        thread = next;
    }
}

/* A part of a mapping in which no thread has its own stack. */
static void part_without_stack_add(struct work *work, const struct line *line,
                                   struct range range)
{
    const struct regions_input *input = work->input;
    uint32_t first = thread_next(input, false, range, range.start - 1);
    if (first != REACH_NONE) {
        stacks_add(work, line, range, first);
        return;
    }
    uint32_t local = thread_next(input, true, range, range.start - 1);
    if (local != REACH_NONE && input->threads[local].sp != 0) {
        thread_part_add(work, range, local, REACH_MAPPING);
        return;
    }
    part_add(work, range, local, local == REACH_NONE ? REACH_MAPPING : REACH_STACK);
}

/* The thread's own stack: what is below its stack pointer is not in use. If that is
 * elsewhere, all of it is. */
static void own_stack_add(struct work *work, struct range stack, uint32_t thread)
{
    uintptr_t sp = work->input->threads[thread].sp;
    bool is_here = sp >= stack.start && sp < stack.end;
    stack.start = is_here ? sp : stack.start;
    bool is_mapping = !is_here && sp != 0;
    thread_part_add(work, stack, thread, is_mapping ? REACH_MAPPING : REACH_STACK);
}

/* The thread whose own stack is the first one in the range; ret_stack gets it, as far
 * as it is in the range. REACH_NONE: there is none. */
static uint32_t own_stack_first(const struct work *work, struct range range,
                                struct range *ret_stack)
{
    uint32_t first = REACH_NONE;
    for (size_t i = 0; i < work->input->threads_count; i++) {
        struct range stack = work->stacks[i];
        if (stack.start < range.end && stack.end > range.start &&
            (first == REACH_NONE || stack.start < ret_stack->start)) {
            first = (uint32_t)i;
            *ret_stack = stack;
        }
    }
    ret_stack->start = clamp(ret_stack->start, range);
    ret_stack->end = clamp(ret_stack->end, range);
    return first;
}

/* Adds what a mapping of data segments alone has of them. */
static void segments_add(struct work *work, struct range range)
{
    const struct regions_input *input = work->input;
    for (size_t i = 0; i < input->segments_count; i++) {
        const struct data_segment *segment = &input->segments[i];
        uintptr_t start = clamp(segment->start, range);
        uintptr_t end = clamp(segment->end, range);
        region_add_rest(work, (struct reach_region){start, end, REACH_NONE,
                                                    REACH_GLOBAL, segment->libc});
    }
}

/* Makes memory without access readable, in this copy of the process alone. */
static bool is_opened(const struct line *line)
{
    size_t bytes = line->range.end - line->range.start;
    return line->path_bytes == 0 && bytes <= NO_ACCESS_BYTES &&
           mprotect((void *)line->range.start, bytes, PROT_READ) == 0;
}

static void line_add(struct work *work, const struct line *line)
{
    bool anonymous = line->path_bytes == 0 || line->path[0] == '[';
    if (is_special(line) || (!line->readable && !is_opened(line))) {
        return;
    }
    if (!line->writable && !anonymous) {
        segments_add(work, line->range); /* made read-only when they were ready */
        return;
    }
    struct range rest = line->range;
    struct range stack = {0, 0};
    uint32_t thread;
    while (rest.start < rest.end &&
           (thread = own_stack_first(work, rest, &stack)) != REACH_NONE) {
        if (rest.start < stack.start) {
            part_without_stack_add(work, line, (struct range){rest.start, stack.start});
        }
        own_stack_add(work, stack, thread);
        rest.start = stack.end;
    }
    if (rest.start < rest.end) {
        part_without_stack_add(work, line, rest);
    }
}

/* Copies the regions in the order of their kinds. */
static size_t regions_copy(const struct work *work, struct reach_region *regions,
                           size_t room)
{
    size_t count = 0;
    for (enum reach_kind kind = 0; kind < REACH_KINDS; kind++) {
        for (size_t i = 0; i < work->found_count; i++) {
            if (work->found[i].kind == kind && count++ < room) {
                regions[count - 1] = work->found[i];
            }
        }
    }
    return count;
}

size_t probe_regions_idle(const struct regions_input *input, struct memory_part *parts)
{
    size_t count = 0;
    for (size_t i = 0; i < input->threads_count; i++) {
        struct range stack = stack_of(input, input->threads[i].pointer);
        uintptr_t sp = input->threads[i].sp;
        bool is_in_block = probe_block_index_find(input->index, sp) != REACH_NONE;
        if (is_in_block && sp > stack.start && sp < stack.end) {
            parts[count++] = (struct memory_part){stack.start, sp};
        }
    }
    return count;
}

/* Notes the stack of each thread. Returns false if memory is short. */
static bool stacks_find(struct work *work)
{
    size_t count = work->input->threads_count;
    work->stacks = mmap(NULL, (count + 1) * sizeof(*work->stacks),
                        PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (size_t i = 0; work->stacks != MAP_FAILED && i < count; i++) {
        work->stacks[i] = stack_of(work->input, work->input->threads[i].pointer);
    }
    return work->stacks != MAP_FAILED;
}

long probe_regions_make(const struct regions_input *input, struct reach_region *regions,
                        size_t room)
{
    struct work work = {.input = input};
    struct line line;
    long count = -1;
    if (!stacks_find(&work)) {
        return -1;
    }
    holes_find(&work);
    for (const char *at = input->maps; (at = line_read(at, &line)) != NULL;) {
        line_add(&work, &line);
    }
    if (!work.failed && !work.holes.failed) {
        count = (long)regions_copy(&work, regions, room);
    }
    munmap(work.stacks, (input->threads_count + 1) * sizeof(*work.stacks));
    if (work.holes.data != NULL) {
        munmap(work.holes.data, work.holes.room * sizeof(*work.holes.data));
    }
    if (work.found != NULL) {
        munmap(work.found, work.found_room * sizeof(*work.found));
    }
    return count;
}
