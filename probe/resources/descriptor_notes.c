/*
 * A note is one word: when it was made, the number of the stack, the kind, and whether
 * it is being closed. The words are in chunks, of which each is as large as all before
 * it: so a number leads to its word at once, and numbers that are not used cost no
 * memory, because the system gives none to pages that nobody has touched.
 */
#include "probe/resources/descriptor_notes.h"

#include <errno.h>
#include <limits.h>
#include <linux/close_range.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "probe/recorder/own_memory.h"
#include "probe/resources/descriptor_limit.h"
#include "probe/resources/descriptor_tables.h"

#define FIRST_BITS 10 /* the first chunk has this many numbers, as a power of two */
#define CHUNKS (31 - FIRST_BITS + 1)

#define STACK_SHIFT 32
#define STACK_BITS 27 /* 2 GiB of stacks */
#define KIND_SHIFT (STACK_SHIFT + STACK_BITS)
#define KIND_BITS 4
#define CLOSING ((uint64_t)1 << (KIND_SHIFT + KIND_BITS))

#ifndef SCM_PIDFD
#define SCM_PIDFD 4 /* since Linux 6.5 */
#endif

typedef _Atomic uint64_t note_word;

static _Atomic(note_word *) chunks[CHUNKS];
static atomic_int highest = -1; /* that was ever noted */

/* Whether a number of the block was ever noted: a program with one very high number is
 * not to look at a thousand million words each time it closes a range. */
#define BLOCK_BITS 16
static atomic_bool is_used[1U << (31 - BLOCK_BITS)];

/* The chunk of a number, and how many words it has. */
static unsigned chunk_of(int fd, size_t *ret_words, size_t *ret_at)
{
    unsigned place = (unsigned)fd + (1U << FIRST_BITS);
    unsigned chunk = 31 - (unsigned)__builtin_clz(place) - FIRST_BITS;
    *ret_words = (size_t)1 << (chunk + FIRST_BITS);
    *ret_at = place - *ret_words;
    return chunk;
}

/* The word of a number that is not negative; NULL if its chunk is not there. */
static note_word *word_of(int fd)
{
    size_t words;
    size_t at;
    unsigned chunk = chunk_of(fd, &words, &at);
    note_word *first = atomic_load_explicit(&chunks[chunk], memory_order_acquire);
    return first == NULL ? NULL : &first[at];
}

/* The same, with a chunk that may be new; NULL if memory is short. */
static note_word *word_make(int fd)
{
    size_t words;
    size_t at;
    unsigned chunk = chunk_of(fd, &words, &at);
    note_word *first = atomic_load_explicit(&chunks[chunk], memory_order_acquire);
    if (first == NULL) {
        note_word *made = probe_own_memory_take(words * sizeof(*made));
        if (made == NULL) {
            return NULL;
        }
        if (atomic_compare_exchange_strong(&chunks[chunk], &first, made)) {
            first = made;
        } else {
            probe_own_memory_give(made, words * sizeof(*made));
        }
    }
    return &first[at];
}

static void used_mark(int fd)
{
    atomic_bool *used = &is_used[fd >> BLOCK_BITS];
    if (!atomic_load_explicit(used, memory_order_relaxed)) {
        atomic_store_explicit(used, true, memory_order_relaxed);
    }
    int before = atomic_load_explicit(&highest, memory_order_relaxed);
    while (fd > before && !atomic_compare_exchange_weak(&highest, &before, fd)) {
    }
}

static uint64_t pack(struct resource_note note, enum descriptor_kind kind)
{
    uint64_t stack = note.stack >> STACK_BITS == 0 ? note.stack : 0;
    return note.made | stack << STACK_SHIFT | (uint64_t)kind << KIND_SHIFT;
}

static inline bool is_noted(void)
{
    return probe_resources_forget() && probe_fd_table_is_listed();
}

void probe_fd_made(int fd, enum descriptor_kind kind, const void *frame)
{
    if (!probe_resources_wanted() || !probe_fd_table_is_listed()) {
        return;
    }
    if (fd < 0) {
        probe_fd_limit_refused();
        return;
    }
    int saved = errno;
    probe_inside++;
    note_word *word = word_make(fd);
    if (word != NULL) {
        used_mark(fd);
        atomic_store_explicit(word, pack(probe_resource_note(frame), kind),
                              memory_order_release);
    }
    probe_inside--;
    errno = saved;
    probe_fd_limit_look(fd);
}

void probe_fds_made(int result, const int fds[2], enum descriptor_kind kind,
                    const void *frame)
{
    if (result < 0) {
        probe_fd_made(-1, kind, frame);
        return;
    }
    for (int i = 0; i < 2; i++) {
        probe_fd_made(fds[i], kind, frame);
    }
}

void probe_fds_standard(const void *frame)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        probe_fd_gone(fd);
        probe_fd_made(fd, FD_ANY, frame);
    }
}

void probe_fds_received(ssize_t result, const struct msghdr *message, const void *frame)
{
    if (result < 0 || message == NULL || message->msg_control == NULL ||
        !probe_resources_wanted()) {
        return;
    }
    const struct cmsghdr *part = CMSG_FIRSTHDR(message);
    while (part != NULL && part->cmsg_len >= CMSG_LEN(0)) {
        size_t bytes = part->cmsg_len - CMSG_LEN(0);
        bool brings = part->cmsg_level == SOL_SOCKET &&
                      (part->cmsg_type == SCM_RIGHTS || part->cmsg_type == SCM_PIDFD);
        for (size_t at = 0; brings && at + sizeof(int) <= bytes; at += sizeof(int)) {
            int fd;
            memcpy(&fd, CMSG_DATA(part) + at, sizeof(fd));
            if (fd >= 0) {
                probe_fd_made(fd, FD_ANY, frame);
            }
        }
        part = CMSG_NXTHDR((struct msghdr *)message, (struct cmsghdr *)part);
    }
}

void probe_fds_received_all(int count, const struct mmsghdr *messages,
                            const void *frame)
{
    for (int i = 0; i < count; i++) {
        probe_fds_received(0, &messages[i].msg_hdr, frame);
    }
}

uint64_t probe_fd_take(int fd)
{
    if (fd < 0 || !is_noted()) {
        return 0;
    }
    note_word *word = word_of(fd);
    /* Most have no note, or nobody else uses the number: so no exchange is needed. */
    uint64_t taken =
        word == NULL ? 0 : atomic_load_explicit(word, memory_order_relaxed);
    if (taken != 0) {
        atomic_store_explicit(word, 0, memory_order_release);
    }
    return taken;
}

void probe_fd_copied(int from, int to, int got, uint64_t taken, const void *frame)
{
    note_word *word = taken == 0 ? NULL : word_of(to);
    if (got < 0 && word != NULL) {
        atomic_store_explicit(word, taken, memory_order_release);
    }
    if (from != to || got < 0) {
        probe_fd_made(got, FD_ANY, frame);
    }
}

void probe_fd_gone(int fd)
{
    (void)probe_fd_take(fd);
}

void probe_fds_gone(unsigned first, unsigned last)
{
    int end = atomic_load(&highest);
    if (!is_noted() || first > INT_MAX || end < 0) {
        return;
    }
    last = last > (unsigned)end ? (unsigned)end : last;
    for (unsigned fd = first; fd <= last; fd++) {
        if (atomic_load_explicit(&is_used[fd >> BLOCK_BITS], memory_order_relaxed)) {
            (void)probe_fd_take((int)fd);
        } else {
            fd |= (1U << BLOCK_BITS) - 1; /* the last one of the block */
        }
    }
}

/* Whether close_range with these flags does anything here: an older kernel does not
 * have it, and a filter may forbid it. No descriptor has the number that is asked for.
 */
static bool range_works(int flags)
{
    int saved = errno;
    bool works = syscall(SYS_close_range, UINT_MAX, UINT_MAX, flags) == 0;
    errno = saved;
    return works;
}

uint64_t probe_fds_closing(unsigned first, unsigned last, int flags)
{
    if ((flags & CLOSE_RANGE_UNSHARE) != 0) {
        return probe_fd_table_leave();
    }
    if (first <= last && first <= INT_MAX && (flags & CLOSE_RANGE_CLOEXEC) == 0 &&
        is_noted() && range_works(flags)) {
        probe_fds_gone(first, last);
    }
    return 0;
}

void probe_fds_closed(unsigned first, unsigned last, int flags, uint64_t before,
                      int result)
{
    if ((flags & CLOSE_RANGE_UNSHARE) == 0) {
        return;
    }
    if (result != 0) {
        probe_fd_table_stay((unsigned)before);
    } else if ((flags & CLOSE_RANGE_CLOEXEC) == 0) {
        probe_fds_gone(first, last);
    }
}

void probe_fd_closing(int fd)
{
    note_word *word = fd < 0 || !is_noted() ? NULL : word_of(fd);
    if (word != NULL) {
        uint64_t before = atomic_load_explicit(word, memory_order_relaxed);
        if (before != 0) {
            atomic_store_explicit(word, before | CLOSING, memory_order_release);
        }
    }
}

void probe_fd_closed(int fd)
{
    note_word *word = fd < 0 || !is_noted() ? NULL : word_of(fd);
    if (word != NULL) {
        uint64_t now = atomic_load_explicit(word, memory_order_relaxed);
        if ((now & CLOSING) != 0) {
            atomic_compare_exchange_strong(word, &now, 0);
        }
    }
}

void probe_fds_fork_child(void)
{
    bool is_listed = probe_fd_table_is_listed();
    probe_fd_table_fork_child();
    if (!is_listed) {
        /* What is noted is of the other threads' descriptors. */
        probe_fds_gone(0, INT_MAX);
    }
}

struct descriptor_note probe_fd_note(int fd)
{
    note_word *at = fd < 0 ? NULL : word_of(fd);
    uint64_t word = at == NULL ? 0 : atomic_load_explicit(at, memory_order_acquire);
    return (struct descriptor_note){
        .note = {.stack = (uint32_t)(word >> STACK_SHIFT) & ((1U << STACK_BITS) - 1),
                 .made = (uint32_t)word},
        .kind = (enum descriptor_kind)(word >> KIND_SHIFT & ((1U << KIND_BITS) - 1)),
        .closing = (word & CLOSING) != 0,
        .word = word & ~CLOSING,
    };
}

void probe_fd_disbelieve(int fd, uint64_t word)
{
    note_word *at = fd < 0 ? NULL : word_of(fd);
    if (at != NULL) {
        atomic_compare_exchange_strong(at, &word, 0);
    }
}
