/*
 * Of such a thread the kernel says the stack pointer and the program counter, in
 * /proc/self/task/<tid>/syscall (proc(5)), not the other registers. Code without a
 * frame pointer does not need them. The others get an address in a room where every
 * word is that same address: so wherever an unknown register leads, the unwinder reads
 * a word of the room, takes it for a return address, finds no code there, and ends.
 *
 * What the copy says about addresses on the stack is changed to addresses in the copy.
 */
#include "probe/preload/stack_copy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "probe/calls/real_function.h"
#include "probe/preload/wait_numbers.h"
#include "probe/process/descriptors.h"
#include "probe/process/memory_read.h"

#define COPY_WORDS ((size_t)16 * 1024)
#define ROOM_WORDS ((size_t)8 * 1024) /* as far as a function's frame may lead */
#define RED_ZONE 128 /* bytes below the stack pointer that are in use */
#define PAGE ((size_t)4096)
#define ATTEMPTS 3

/* The copy, and the room behind it. Another room is before it. */
static uintptr_t words[ROOM_WORDS + COPY_WORDS + ROOM_WORDS];

struct call {
    long number;
    uintptr_t first; /* argument */
    uintptr_t sp;
    uintptr_t pc;
};

/* A function that does nothing: its name is shown. */
PROBE_EXPORT void leakprobe_stack_cut_short(void)
{
    __asm__ volatile("");
}

/* Returns false if the thread is in no system call, or it is not known. */
static bool call_read(pid_t tid, struct call *ret_call)
{
    char text[256];
    snprintf(text, sizeof(text), "self/task/%d/syscall", (int)tid);
    int fd = probe_proc_open(text, O_RDONLY);
    if (fd < 0) {
        return false;
    }
    ssize_t got = read(fd, text, sizeof(text) - 1);
    close(fd);
    text[got < 0 ? 0 : got] = '\0';
    unsigned long long first = 0;
    unsigned long long sp = 0;
    unsigned long long pc = 0;
    /* The number, six arguments, the two registers. */
    if (sscanf(text, "%ld %llx %*s %*s %*s %*s %*s %llx %llx", &ret_call->number,
               &first, &sp, &pc) != 4) {
        return false;
    }
    ret_call->first = (uintptr_t)first;
    ret_call->sp = (uintptr_t)sp;
    ret_call->pc = (uintptr_t)pc;
    return true;
}

/* Copies the stack from `from` on, as much as there is: at most COPY_WORDS. Page by
 * page, because it fails as a whole where a page is missing. Returns the bytes. */
static size_t stack_read(uintptr_t from)
{
    size_t size = 0;
    char *copy = (char *)(words + ROOM_WORDS);
    while (size < COPY_WORDS * sizeof(words[0])) {
        size_t part = PAGE - (from + size) % PAGE;
        size_t left = COPY_WORDS * sizeof(words[0]) - size;
        part = part < left ? part : left;
        if (probe_memory_read(from + size, copy + size, part) != 0) {
            break;
        }
        size += part;
    }
    return size;
}

/* Fills both rooms, and turns addresses of the stack into those of the copy. */
static void copy_prepare(uintptr_t from, size_t size)
{
    uintptr_t room = (uintptr_t)&words[ROOM_WORDS / 2];
    uintptr_t copy = (uintptr_t)&words[ROOM_WORDS];
    size_t end = ROOM_WORDS + size / sizeof(words[0]);
    for (size_t i = 0; i < ROOM_WORDS; i++) {
        words[i] = room;
    }
    for (size_t i = ROOM_WORDS; i < end; i++) {
        if (words[i] >= from && words[i] < from + size) {
            words[i] += copy - from;
        }
    }
    for (size_t i = end; i < sizeof(words) / sizeof(words[0]); i++) {
        words[i] = room;
    }
}

static void hold_fill(struct thread_hold *hold, const struct call *call, uintptr_t from)
{
    uintptr_t room = (uintptr_t)&words[ROOM_WORDS / 2];
    *hold = (struct thread_hold){
        .registers = {.rip = call->pc,
                      .rsp = (uintptr_t)&words[ROOM_WORDS] + (call->sp - from),
                      .rbp = room,
                      .rbx = room,
                      .r12 = room,
                      .r13 = room,
                      .r14 = room,
                      .r15 = room},
        .copy = true,
        .sp = call->sp,
        .end_begin = (uintptr_t)words,
        .end_end = (uintptr_t)words + sizeof(words),
        .cut = (uintptr_t)leakprobe_stack_cut_short,
    };
}

/* Whether the thread must get no signal. That would end its call early; or it waits for
 * a lock whose memory is gone: once woken, it would look there, and crash. */
static bool is_left_asleep(const struct call *call)
{
    char byte;
    return probe_wait_number_ends_early(call->number) ||
           (call->number == SYS_futex &&
            probe_memory_read(call->first, &byte, sizeof(byte)) == -EFAULT);
}

enum thread_found probe_stack_copy(pid_t tid, struct thread_hold *ret_hold)
{
#ifdef __x86_64__
    for (int i = 0; i < ATTEMPTS; i++) {
        struct call before;
        struct call after;
        if (!call_read(tid, &before) || !is_left_asleep(&before)) {
            return THREAD_TO_BE_ASKED;
        }
        uintptr_t from = (before.sp - RED_ZONE) & ~(sizeof(words[0]) - 1);
        size_t size = stack_read(from);
        if (size > RED_ZONE && call_read(tid, &after) &&
            memcmp(&before, &after, sizeof(before)) == 0) {
            copy_prepare(from, size);
            hold_fill(ret_hold, &before, from);
            return THREAD_HELD;
        }
    }
    return THREAD_LEFT_ALONE;
#else
    (void)tid, (void)ret_hold;
    return THREAD_TO_BE_ASKED;
#endif
}
