/*
 * The text and the arrays are in memory that is kept, and is there before the reading
 * begins: to map some for each reading would change what is read.
 */
#include "probe/resources/mapping_view.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/buffer.h"
#include "probe/reach/ranges.h"
#include "probe/recorder/own_memory.h"
#include "probe/resources/thread_notes.h"
#include "probe/stacks/maps.h"
#include "probe/symbols/own_libraries.h"

#define TEXT_BYTES_LEAST ((size_t)64 * 1024)
#define OWN_LEAST 512
#define STACKS_LEAST 64

static pthread_mutex_t reading = PTHREAD_MUTEX_INITIALIZER;

/* Memory of the probe that grows; the mutex protects them. */
struct kept {
    void *memory;
    size_t bytes;
};
static struct kept text;
static struct kept own;
static struct kept stacks;
static struct buffer notes; /* of threads */

/* Makes room for so many bytes. What was there is gone. Returns 0 or -ENOMEM. */
static int room_make(struct kept *kept, size_t bytes)
{
    if (bytes <= kept->bytes) {
        return 0;
    }
    void *larger = probe_own_memory_take(bytes);
    if (larger == NULL) {
        return -ENOMEM;
    }
    probe_own_memory_give(kept->memory, kept->bytes);
    *kept = (struct kept){larger, bytes};
    return 0;
}

/* ---- The stacks of threads ---- */

static int stack_lower(const void *one, const void *other)
{
    const struct thread_stack *first = one;
    const struct thread_stack *second = other;
    if (first->thread != second->thread) {
        return first->thread < second->thread ? -1 : 1;
    }
    return first->note.made > second->note.made   ? -1
           : first->note.made < second->note.made ? 1
                                                  : 0;
}

/* Whether the thread still has its stack: it lives, or has ended and was not joined.
 * The pthread_t of one that was detached may be another thread's. */
static bool has_stack(const struct thread_noted *noted)
{
    return noted->thread != 0 && noted->stack_most == SIZE_MAX &&
           (!noted->let_go ||
            (noted->tid != 0 && syscall(SYS_tgkill, getpid(), noted->tid, 0) == 0));
}

/* Returns how many there are; or -ENOMEM. */
static ssize_t stacks_read(void)
{
    buffer_clear(&notes);
    int error = probe_thread_notes_copy(&notes);
    size_t count = notes.length / sizeof(struct thread_noted);
    size_t room = (count < STACKS_LEAST ? STACKS_LEAST : count * 2) + 1;
    if (error == 0 && (count + 1) * sizeof(struct thread_stack) > stacks.bytes) {
        error = room_make(&stacks, room * sizeof(struct thread_stack));
    }
    if (error != 0) {
        return error;
    }
    const struct thread_noted *noted = (const void *)notes.data;
    struct thread_stack *array = stacks.memory;
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        if (has_stack(&noted[i])) {
            array[used++] = (struct thread_stack){.thread = (uintptr_t)noted[i].thread,
                                                  .note = noted[i].note};
        }
    }
    if (probe_thread_is_own(gettid())) {
        array[used++] = (struct thread_stack){.thread = (uintptr_t)pthread_self(),
                                              .is_probes = true};
    }
    qsort(array, used, sizeof(*array), stack_lower);
    return (ssize_t)used;
}

const struct thread_stack *probe_mapping_view_stack(const struct mapping_view *view,
                                                    struct range range,
                                                    uintptr_t *ret_end)
{
    size_t low = 0;
    size_t high = view->stack_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (view->stacks[middle].thread < range.start) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low == view->stack_count || view->stacks[low].thread >= range.end) {
        return NULL;
    }
    *ret_end = range.end;
#ifdef __x86_64__
    /* What the C library knows of the thread is in the last page of its stack; behind
     * that may be anybody's memory. Elsewhere it is not so near to the end. */
    uintptr_t page = (uintptr_t)getpagesize();
    uintptr_t end = (view->stacks[low].thread | (page - 1)) + 1;
    *ret_end = end < range.end ? end : range.end;
#endif
    return &view->stacks[low];
}

/* ---- The probe's ranges ---- */

static int range_lower(const void *one, const void *other)
{
    uintptr_t first = ((const struct range *)one)->start;
    uintptr_t second = ((const struct range *)other)->start;
    return first < second ? -1 : first > second;
}

/* Whole pages, sorted. Returns how many there are; -E2BIG if there was too little
 * room. */
static ssize_t own_read(void)
{
    struct range *ranges = own.memory;
    uintptr_t page = (uintptr_t)getpagesize();
    size_t room = own.bytes / sizeof(*ranges);
    size_t count = probe_own_memory_copy(ranges, room);
    size_t library_count;
    const struct range *libraries = probe_own_libraries_ranges(&library_count);
    if (count + library_count > room) {
        return -E2BIG;
    }
    if (library_count > 0) {
        memcpy(ranges + count, libraries, library_count * sizeof(*ranges));
    }
    count += library_count;
    for (size_t i = 0; i < count; i++) {
        ranges[i].start &= ~(page - 1);
        ranges[i].end = (ranges[i].end + page - 1) & ~(page - 1);
    }
    qsort(ranges, count, sizeof(*ranges), range_lower);
    return (ssize_t)count;
}

bool probe_mapping_view_own(const struct mapping_view *view, uintptr_t address,
                            uintptr_t end, struct range *ret_range)
{
    size_t at = probe_ranges_from(view->own, view->own_count, address);
    bool found = at < view->own_count && view->own[at].start <= address;
    uintptr_t change = at == view->own_count ? end
                       : found               ? view->own[at].end
                                             : view->own[at].start;
    *ret_range = (struct range){address, change < end ? change : end};
    return found;
}

/* ---- All together ---- */

/* Makes more room for what did not fit. Returns 0 if it is to be read again. */
static int larger(ssize_t text_bytes, ssize_t own_count)
{
    int error = text_bytes == -E2BIG ? room_make(&text, text.bytes * 2) : 0;
    return error == 0 && own_count == -E2BIG ? room_make(&own, own.bytes * 2) : error;
}

static void here_find(struct mapping_view *view)
{
    uintptr_t here = (uintptr_t)__builtin_frame_address(0);
    size_t at = probe_ranges_from(view->own, view->own_count, here);
    if (at < view->own_count && view->own[at].start <= here) {
        view->here = view->own[at];
    }
}

/* Reads until all fits. */
static int view_read(struct mapping_view *ret_view)
{
    int error = room_make(&text, TEXT_BYTES_LEAST);
    error = error != 0 ? error : room_make(&own, OWN_LEAST * sizeof(struct range));
    while (error == 0) {
        ssize_t stack_count = stacks_read();
        uint32_t begun = probe_resource_now();
        ssize_t text_bytes = probe_maps_read_text(text.memory, text.bytes);
        ssize_t own_count = own_read();
        if (stack_count < 0 || (text_bytes < 0 && text_bytes != -E2BIG)) {
            return stack_count < 0 ? (int)stack_count : (int)text_bytes;
        }
        if (text_bytes >= 0 && own_count >= 0) {
            *ret_view = (struct mapping_view){
                .text = text.memory,
                .own = own.memory,
                .own_count = (size_t)own_count,
                .stacks = stacks.memory,
                .stack_count = (size_t)stack_count,
                .begun = begun,
            };
            here_find(ret_view);
            return 0;
        }
        error = larger(text_bytes, own_count);
    }
    return error;
}

int probe_mapping_view_take(struct mapping_view *ret_view)
{
    pthread_mutex_lock(&reading);
    int error = view_read(ret_view);
    if (error != 0) {
        pthread_mutex_unlock(&reading);
    }
    return error;
}

void probe_mapping_view_give(void)
{
    pthread_mutex_unlock(&reading);
}
