/*
 * The program's calls of malloc and its family, which the recorder is told of. Behind
 * them is whatever allocator the program has. In a process where the probe does not
 * work (inside.h) they only pass through.
 */
#ifndef PROBE_PRELOAD_MALLOC_CALLS_H
#define PROBE_PRELOAD_MALLOC_CALLS_H

#include <stdbool.h>
#include <stddef.h>

/* Finds the real functions. The first call of any of them does so too: constructors of
 * other libraries run before ours. Keeps errno. */
void probe_malloc_prepare(void);

/* Whether the program's calls come to us: not if its allocator is part of the program's
 * own file, or stands before the probe in the loader's order. */
bool probe_malloc_seen(void);

/* An allocating call that is made of other ones: operator new calls malloc, in most
 * programs. The block is noted once, with the size and the caller of the outer call. */
struct outer_call {
    const void *frame; /* __builtin_frame_address(0) of the outer wrapper; NULL: none */
    size_t bytes;
};

/* Begins an outer call, unless the thread is in one, or blocks are not noted. Returns
 * whether it began. */
bool probe_malloc_outer_begin(struct outer_call call);

/* Ends it: `block` is noted now if no inner call has noted one. NULL: it failed. */
void probe_malloc_outer_end(const void *block);

/* The same for a call that frees: notes that the block goes, and that the inner call of
 * free for the same block need not do so. Returns what probe_malloc_delete_end wants.
 */
const void *probe_malloc_delete_begin(const void *block);
void probe_malloc_delete_end(const void *before);

/* From now on blocks are noted as probe_active says. */
void probe_malloc_early_end(void);

#endif
