/*
 * A wrapper calls the real function first and notes the block afterwards; for a block
 * that goes it is the other way round, because from then on another thread may get the
 * same address. The stack that is noted begins with the wrapper's caller.
 */
#include "probe/preload/malloc_calls.h"

#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "probe/calls/real_function.h"
#include "probe/preload/settings.h"
#include "probe/recorder/inside.h"
#include "probe/recorder/recorder.h"

#define CALLER __builtin_frame_address(0)
#define STATIC_TLS __attribute__((tls_model("initial-exec")))
/* ISO C has no cast from void * to a function; POSIX asks for this one. */
#define NEXT(name) __extension__(__typeof__(&(name))) dlsym(RTLD_NEXT, #name)

static struct {
    bool ready;
    bool resolving;
    __typeof__(&malloc) malloc;
    __typeof__(&calloc) calloc;
    __typeof__(&realloc) realloc;
    __typeof__(&free) free;
    __typeof__(&memalign) memalign;
    __typeof__(&posix_memalign) posix_memalign;
    __typeof__(&aligned_alloc) aligned_alloc;
    __typeof__(&valloc) valloc;
    __typeof__(&pvalloc) pvalloc;
} real;

static _Thread_local struct outer_call outer STATIC_TLS;
static _Thread_local const void *deleting STATIC_TLS;

/* ---- Before the real functions are known ---- */

/* dlsym itself allocates: the few blocks that it needs are cut from here, and are never
 * freed. Each has its size before it, for realloc. */
#define EARLY_BYTES 16384
#define EARLY_ALIGNMENT 16

static _Alignas(EARLY_ALIGNMENT) char early[EARLY_BYTES];
static size_t early_used;

static bool is_early(const void *block)
{
    uintptr_t address = (uintptr_t)block;
    return address >= (uintptr_t)early && address < (uintptr_t)(early + EARLY_BYTES);
}

static void *early_allocate(size_t bytes)
{
    size_t room = EARLY_BYTES - early_used;
    if (room < EARLY_ALIGNMENT || bytes > room - EARLY_ALIGNMENT) {
        errno = ENOMEM;
        return NULL;
    }
    char *block = early + early_used + EARLY_ALIGNMENT;
    memcpy(block - sizeof(bytes), &bytes, sizeof(bytes));
    size_t whole = (bytes + EARLY_ALIGNMENT - 1) / EARLY_ALIGNMENT * EARLY_ALIGNMENT;
    early_used += EARLY_ALIGNMENT + (whole < room ? whole : room - EARLY_ALIGNMENT);
    return block;
}

void probe_malloc_prepare(void)
{
    if (real.ready || real.resolving) {
        return;
    }
    int saved = errno;
    real.resolving = true;
    real.malloc = NEXT(malloc);
    real.calloc = NEXT(calloc);
    real.realloc = NEXT(realloc);
    real.free = NEXT(free);
    real.memalign = NEXT(memalign);
    real.posix_memalign = NEXT(posix_memalign);
    real.aligned_alloc = NEXT(aligned_alloc);
    real.valloc = NEXT(valloc);
    real.pvalloc = NEXT(pvalloc);
    real.ready = true;
    real.resolving = false;
    errno = saved;
}

/* Whether the real functions can be called. */
static inline bool is_ready(void)
{
    if (__builtin_expect(!real.ready, 0)) {
        probe_malloc_prepare();
    }
    return real.ready;
}

bool probe_malloc_seen(void)
{
    Dl_info found;
    Dl_info ours;
    const ElfW(Sym) *symbol = NULL;
    void *first = dlsym(RTLD_DEFAULT, "malloc");
    if (first == NULL || dladdr(early, &ours) == 0 ||
        dladdr1(first, &found, (void **)&symbol, RTLD_DL_SYMENT) == 0) {
        return false;
    }
    /* In a program at fixed addresses the function's address may be that of its own
     * jump to the function, which is somewhere else: its symbol is then undefined. */
    return found.dli_fbase == ours.dli_fbase ||
           (symbol != NULL && symbol->st_shndx == SHN_UNDEF);
}

/* ---- Noting ---- */

/* Whether blocks are noted from the first one on, before the probe starts: 0 as long as
 * it is not known. */
static enum { UNDECIDED, FROM_FIRST, FROM_START } noting;

/* Decided when the C library has its environment: then the constructors of the other
 * libraries begin. */
static __attribute__((noinline)) bool decide(void)
{
    if (probe_early_wanted == NULL || environ == NULL) {
        return false;
    }
    noting = probe_early_wanted() ? FROM_FIRST : FROM_START;
    if (noting == FROM_FIRST) {
        probe_recorder_start_early();
    }
    return noting == FROM_FIRST;
}

static inline bool is_noting(void)
{
    return probe_active || noting == FROM_FIRST || (noting == UNDECIDED && decide());
}

void probe_malloc_early_end(void)
{
    noting = FROM_START;
}

static inline void note(const void *block, size_t bytes, const void *frame)
{
    if (!is_noting() || block == NULL) {
        return;
    }
    /* A smaller block is another one: that of the exception which operator new throws.
     */
    if (outer.frame != NULL && bytes >= outer.bytes) {
        frame = outer.frame;
        bytes = outer.bytes;
        outer.frame = NULL;
    }
    probe_recorder_allocated_by(block, bytes, frame);
}

bool probe_malloc_outer_begin(struct outer_call call)
{
    if (outer.frame != NULL || !is_noting()) {
        return false;
    }
    outer = call;
    return true;
}

void probe_malloc_outer_end(const void *block)
{
    if (outer.frame != NULL && block != NULL) {
        note(block, outer.bytes, outer.frame);
    }
    outer.frame = NULL;
}

const void *probe_malloc_delete_begin(const void *block)
{
    const void *before = deleting;
    if (is_noting() && block != NULL && block != before) {
        probe_recorder_freed(block);
        deleting = block;
    }
    return before;
}

void probe_malloc_delete_end(const void *before)
{
    deleting = before;
}

/* ---- The family ---- */

PROBE_EXPORT void *malloc(size_t bytes)
{
    if (!is_ready()) {
        return early_allocate(bytes);
    }
    void *block = real.malloc(bytes);
    note(block, bytes, CALLER);
    return block;
}

PROBE_EXPORT void *calloc(size_t count, size_t bytes)
{
    if (!is_ready()) {
        /* The memory has never been used: it is zero. */
        return early_allocate(count * bytes);
    }
    void *block = real.calloc(count, bytes);
    note(block, count * bytes, CALLER);
    return block;
}

PROBE_EXPORT void free(void *block)
{
    if (block == NULL || is_early(block) || !is_ready()) {
        return;
    }
    if (is_noting() && block != deleting) {
        probe_recorder_freed(block);
    }
    real.free(block);
}

/* Programs that were linked long ago still call it. */
void cfree(void *block);
PROBE_EXPORT void cfree(void *block)
{
    free(block);
}

/* realloc of a block from the time before the real functions were known. */
static void *early_move(const void *block, size_t bytes)
{
    size_t before;
    memcpy(&before, (const char *)block - sizeof(before), sizeof(before));
    void *moved = is_ready() ? real.malloc(bytes) : early_allocate(bytes);
    if (moved != NULL) {
        memcpy(moved, block, before < bytes ? before : bytes);
    }
    return moved;
}

static void *reallocate(void *block, size_t bytes, const void *frame)
{
    if (is_early(block) || !is_ready()) {
        return block == NULL ? early_allocate(bytes) : early_move(block, bytes);
    }
    if (!is_noting()) {
        return real.realloc(block, bytes);
    }
    /* Meanwhile the block is in use and not noted. */
    probe_changing++;
    struct recorder_note before = probe_recorder_take(block);
    void *moved = real.realloc(block, bytes);
    if (moved != NULL) {
        note(moved, bytes, frame);
    } else if (bytes != 0) {
        /* It has failed. With 0 bytes NULL means that the block is free. */
        probe_recorder_put_back(before, block);
    }
    probe_changing--;
    return moved;
}

PROBE_EXPORT void *realloc(void *block, size_t bytes)
{
    void *moved = reallocate(block, bytes, CALLER);
    return moved;
}

PROBE_EXPORT void *reallocarray(void *block, size_t count, size_t bytes)
{
    size_t whole;
    if (__builtin_mul_overflow(count, bytes, &whole)) {
        errno = ENOMEM;
        return NULL;
    }
    void *moved = reallocate(block, whole, CALLER);
    return moved;
}

PROBE_EXPORT void *memalign(size_t alignment, size_t bytes)
{
    if (!is_ready()) {
        return NULL;
    }
    void *block = real.memalign(alignment, bytes);
    note(block, bytes, CALLER);
    return block;
}

PROBE_EXPORT int posix_memalign(void **ret_block, size_t alignment, size_t bytes)
{
    if (!is_ready()) {
        return ENOMEM;
    }
    int error = real.posix_memalign(ret_block, alignment, bytes);
    if (error == 0) {
        note(*ret_block, bytes, CALLER);
    }
    return error;
}

PROBE_EXPORT void *aligned_alloc(size_t alignment, size_t bytes)
{
    if (!is_ready()) {
        return NULL;
    }
    void *block = real.aligned_alloc(alignment, bytes);
    note(block, bytes, CALLER);
    return block;
}

PROBE_EXPORT void *valloc(size_t bytes)
{
    if (!is_ready()) {
        return NULL;
    }
    void *block = real.valloc(bytes);
    note(block, bytes, CALLER);
    return block;
}

PROBE_EXPORT void *pvalloc(size_t bytes)
{
    if (!is_ready()) {
        return NULL;
    }
    void *block = real.pvalloc(bytes);
    note(block, bytes, CALLER);
    return block;
}
