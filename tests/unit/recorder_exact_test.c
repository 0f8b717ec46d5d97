/*
 * Exact means exact: eight threads make 1,000,000 random calls of all allocating
 * functions and keep their own books, for each place that calls. The recorder's profile
 * is equal to them, to the byte.
 */
#include "recorder.h"

#include <malloc.h>
#include <stdatomic.h>
#include <stdio.h>

#include "probe/recorder/poisson.h"

#define THREADS 8
#define CALLS 125000 /* of each thread */
#define BLOCKS 512   /* that each thread has at most at once */

/* The operators of C++, by the names that C can call. */
void *_Znwm(size_t bytes);
void *_Znam(size_t bytes);
void *_ZnwmRKSt9nothrow_t(size_t bytes, const void *nothrow);
void *_ZnamRKSt9nothrow_t(size_t bytes, const void *nothrow);
void *_ZnwmSt11align_val_t(size_t bytes, size_t alignment);
void *_ZnamSt11align_val_t(size_t bytes, size_t alignment);
void *_ZnwmSt11align_val_tRKSt9nothrow_t(size_t bytes, size_t alignment,
                                         const void *nothrow);
void *_ZnamSt11align_val_tRKSt9nothrow_t(size_t bytes, size_t alignment,
                                         const void *nothrow);
void _ZdlPv(void *block);
void _ZdaPv(void *block);
void _ZdlPvm(void *block, size_t bytes);
void _ZdaPvm(void *block, size_t bytes);
void _ZdlPvRKSt9nothrow_t(void *block, const void *nothrow);
void _ZdaPvRKSt9nothrow_t(void *block, const void *nothrow);
void _ZdlPvSt11align_val_t(void *block, size_t alignment);
void _ZdaPvSt11align_val_t(void *block, size_t alignment);
void _ZdlPvmSt11align_val_t(void *block, size_t bytes, size_t alignment);
void _ZdaPvmSt11align_val_t(void *block, size_t bytes, size_t alignment);
void _ZdlPvSt11align_val_tRKSt9nothrow_t(void *block, size_t alignment,
                                         const void *nothrow);
void _ZdaPvSt11align_val_tRKSt9nothrow_t(void *block, size_t alignment,
                                         const void *nothrow);

#define ALIGNMENT 64

static const char nothrow;

/* A place that allocates: a function of its own, found in the profile by its name. */
#define PLACE(name, expression)                                                        \
    void *name(size_t bytes);                                                          \
    void *name(size_t bytes)                                                           \
    {                                                                                  \
        void *block = (expression);                                                    \
        return block;                                                                  \
    }

static void *by_posix_memalign(size_t bytes, size_t alignment)
{
    void *block = NULL;
    return posix_memalign(&block, alignment, bytes) == 0 ? block : NULL;
}

PLACE(place_malloc, malloc(bytes))
PLACE(place_calloc, calloc(1, bytes))
PLACE(place_realloc_null, realloc(NULL, bytes))
PLACE(place_reallocarray_null, reallocarray(NULL, 1, bytes))
PLACE(place_memalign, memalign(ALIGNMENT, bytes))
PLACE(place_aligned_alloc, aligned_alloc(ALIGNMENT, bytes))
PLACE(place_valloc, valloc(bytes))
PLACE(place_pvalloc, pvalloc(bytes))
PLACE(place_posix_memalign, by_posix_memalign(bytes, ALIGNMENT))
PLACE(place_strdup, strdup((char[3]){'a', (char)('a' + bytes % 2), 0}))
PLACE(place_new, _Znwm(bytes))
PLACE(place_new_array, _Znam(bytes))
PLACE(place_new_nothrow, _ZnwmRKSt9nothrow_t(bytes, &nothrow))
PLACE(place_new_array_nothrow, _ZnamRKSt9nothrow_t(bytes, &nothrow))
PLACE(place_new_aligned, _ZnwmSt11align_val_t(bytes, ALIGNMENT))
PLACE(place_new_array_aligned, _ZnamSt11align_val_t(bytes, ALIGNMENT))
PLACE(place_new_aligned_nothrow,
      _ZnwmSt11align_val_tRKSt9nothrow_t(bytes, ALIGNMENT, &nothrow))
PLACE(place_new_array_aligned_nothrow,
      _ZnamSt11align_val_tRKSt9nothrow_t(bytes, ALIGNMENT, &nothrow))

void *place_realloc(void *block, size_t bytes);
void *place_realloc(void *block, size_t bytes)
{
    void *moved = realloc(block, bytes);
    return moved;
}

void *place_reallocarray(void *block, size_t bytes);
void *place_reallocarray(void *block, size_t bytes)
{
    void *moved = reallocarray(block, bytes, 1);
    return moved;
}

/* How the block of a place is freed. */
enum freed { BY_FREE, BY_DELETE, BY_ALIGNED_DELETE };

static const struct place {
    const char *name;
    void *(*allocate)(size_t bytes);
    enum freed freed;
    size_t frame; /* which of its stack's frames is the place */
    size_t bytes; /* of every block; 0: what is asked for */
} places[] = {
    {"place_malloc", place_malloc, BY_FREE, 0, 0},
    {"place_calloc", place_calloc, BY_FREE, 0, 0},
    {"place_realloc_null", place_realloc_null, BY_FREE, 0, 0},
    {"place_reallocarray_null", place_reallocarray_null, BY_FREE, 0, 0},
    {"place_memalign", place_memalign, BY_FREE, 0, 0},
    {"place_aligned_alloc", place_aligned_alloc, BY_FREE, 0, 0},
    {"place_valloc", place_valloc, BY_FREE, 0, 0},
    {"place_pvalloc", place_pvalloc, BY_FREE, 0, 0},
    {"place_posix_memalign", place_posix_memalign, BY_FREE, 1, 0},
    {"place_strdup", place_strdup, BY_FREE, 1, 3},
    {"place_new", place_new, BY_DELETE, 0, 0},
    {"place_new_array", place_new_array, BY_DELETE, 0, 0},
    {"place_new_nothrow", place_new_nothrow, BY_DELETE, 0, 0},
    {"place_new_array_nothrow", place_new_array_nothrow, BY_DELETE, 0, 0},
    {"place_new_aligned", place_new_aligned, BY_ALIGNED_DELETE, 0, 0},
    {"place_new_array_aligned", place_new_array_aligned, BY_ALIGNED_DELETE, 0, 0},
    {"place_new_aligned_nothrow", place_new_aligned_nothrow, BY_ALIGNED_DELETE, 0, 0},
    {"place_new_array_aligned_nothrow", place_new_array_aligned_nothrow,
     BY_ALIGNED_DELETE, 0, 0},
    {"place_realloc", NULL, BY_FREE, 0, 0},
    {"place_reallocarray", NULL, BY_FREE, 0, 0},
};

enum {
    PLACES = sizeof(places) / sizeof(places[0]),
    PLACE_REALLOC = PLACES - 2,
    PLACE_REALLOCARRAY = PLACES - 1,
};

/* The books: what each place allocated, and what of it is in use. */
static _Atomic int64_t books[PLACES][STACK_VALUES];

struct block {
    void *address; /* NULL: none */
    size_t bytes;
    size_t place;
};

static void book(size_t place, int64_t blocks, int64_t bytes, bool allocated)
{
    if (allocated) {
        books[place][HEAP_ALLOC_OBJECTS] += blocks;
        books[place][HEAP_ALLOC_SPACE] += bytes;
    }
    books[place][HEAP_INUSE_OBJECTS] += blocks;
    books[place][HEAP_INUSE_SPACE] += bytes;
}

static void block_allocate(struct block *block, size_t place, size_t bytes)
{
    block->bytes = places[place].bytes == 0 ? bytes : places[place].bytes;
    block->place = place;
    block->address = places[place].allocate(bytes);
    if (block->address != NULL) {
        book(place, 1, (int64_t)block->bytes, true);
    }
}

static void block_move(struct block *block, bool array, size_t bytes)
{
    void *moved = array ? place_reallocarray(block->address, bytes)
                        : place_realloc(block->address, bytes);
    if (moved != NULL) {
        book(block->place, -1, -(int64_t)block->bytes, false);
        *block =
            (struct block){moved, bytes, array ? PLACE_REALLOCARRAY : PLACE_REALLOC};
        book(block->place, 1, (int64_t)bytes, true);
    }
}

/* Every way to free a block, chosen by a number. */
static void address_free(void *address, size_t bytes, enum freed freed, uint64_t way)
{
    if (freed == BY_FREE) {
        if (way % 8 == 0) {
            free(realloc(address, 0));
        } else {
            free(address);
        }
    } else if (freed == BY_DELETE) {
        switch (way % 6) {
        case 0:
            _ZdlPv(address);
            break;
        case 1:
            _ZdaPv(address);
            break;
        case 2:
            _ZdlPvm(address, bytes);
            break;
        case 3:
            _ZdaPvm(address, bytes);
            break;
        case 4:
            _ZdlPvRKSt9nothrow_t(address, &nothrow);
            break;
        default:
            _ZdaPvRKSt9nothrow_t(address, &nothrow);
            break;
        }
    } else {
        switch (way % 6) {
        case 0:
            _ZdlPvSt11align_val_t(address, ALIGNMENT);
            break;
        case 1:
            _ZdaPvSt11align_val_t(address, ALIGNMENT);
            break;
        case 2:
            _ZdlPvmSt11align_val_t(address, bytes, ALIGNMENT);
            break;
        case 3:
            _ZdaPvmSt11align_val_t(address, bytes, ALIGNMENT);
            break;
        case 4:
            _ZdlPvSt11align_val_tRKSt9nothrow_t(address, ALIGNMENT, &nothrow);
            break;
        default:
            _ZdaPvSt11align_val_tRKSt9nothrow_t(address, ALIGNMENT, &nothrow);
            break;
        }
    }
}

static void block_free(struct block *block, uint64_t way)
{
    book(block->place, -1, -(int64_t)block->bytes, false);
    address_free(block->address, block->bytes, places[block->place].freed, way);
    block->address = NULL;
}

/* Blocks that one thread frees and another one allocated. */
static struct block handed[64];
static pthread_mutex_t handing = PTHREAD_MUTEX_INITIALIZER;

static void swap_with_others(struct block *block, uint64_t at)
{
    pthread_mutex_lock(&handing);
    struct block other = handed[at % 64];
    handed[at % 64] = *block;
    *block = other;
    pthread_mutex_unlock(&handing);
}

static void *work(void *argument)
{
    uint64_t state = (uintptr_t)argument;
    struct block blocks[BLOCKS] = {0};
    for (int i = 0; i < CALLS; i++) {
        uint64_t number = probe_random(&state);
        struct block *block = &blocks[number % BLOCKS];
        size_t bytes = (number >> 16) % 256 + 1;
        uint64_t choice = (number >> 32) % 16;
        if (block->address == NULL) {
            block_allocate(block, (number >> 40) % PLACE_REALLOC, bytes);
        } else if (choice < 4 && places[block->place].freed == BY_FREE) {
            block_move(block, choice % 2 != 0, bytes);
        } else if (choice < 6) {
            swap_with_others(block, number >> 48);
        } else {
            block_free(block, number >> 48);
        }
    }
    for (size_t i = 0; i < BLOCKS; i += 2) { /* the others stay: in use at the end */
        if (blocks[i].address != NULL) {
            block_free(&blocks[i], i);
        }
    }
    return NULL;
}

static void test_books_are_equal_to_the_byte(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    for (uintptr_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, work, (void *)(i + 1)), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    for (size_t i = 0; i < PLACES; i++) {
        int64_t found[STACK_VALUES];
        recorder_sum(false, places[i].frame, places[i].name, found);
        for (size_t value = 0; value < STACK_VALUES; value++) {
            if (found[value] != books[i][value]) {
                fail_msg("%s, value %zu: %lld recorded, %lld booked", places[i].name,
                         value, (long long)found[value], (long long)books[i][value]);
            }
        }
        assert_true(found[HEAP_INUSE_OBJECTS] > 0);
    }
    struct recorder_figures figures;
    probe_recorder_read_figures(&figures);
    assert_int_equal(figures.lost, 0);
}

static void test_errors_are_the_real_ones(void **state)
{
    (void)state;
    struct recorder_figures before;
    struct recorder_figures after;
    volatile size_t huge = SIZE_MAX / 2;
    void *volatile block = malloc(10);
    void *other = &before;
    probe_recorder_read_figures(&before);
    errno = 0;
    assert_null(malloc(huge));
    assert_int_equal(errno, ENOMEM);
    errno = 0;
    assert_null(calloc(huge, 4));
    assert_int_equal(errno, ENOMEM);
    errno = 0;
    assert_null(realloc(block, huge));
    assert_int_equal(errno, ENOMEM);
    errno = 0;
    assert_null(reallocarray(block, huge, 4));
    assert_int_equal(errno, ENOMEM);
    errno = 7;
    assert_int_equal(posix_memalign(&other, 3, 8), EINVAL);
    assert_ptr_equal(other, &before);
    assert_int_equal(errno, 7);
    probe_recorder_read_figures(&after);
    assert_int_equal(before.allocations, after.allocations);
    assert_int_equal(before.frees, after.frees);
    errno = 7;
    free(block);
    free(NULL);
    _ZdlPv(NULL);
    assert_int_equal(errno, 7);
    probe_recorder_read_figures(&after);
    assert_int_equal(after.frees, before.frees + 1);
}

/* The exception inside of libstdc++ has a block of its own for a moment. */
static void test_an_operator_that_fails(void **state)
{
    (void)state;
    volatile size_t huge = SIZE_MAX / 2;
    struct recorder_figures before;
    struct recorder_figures after;
    probe_recorder_read_figures(&before);
    /* Kept: clang leaves an operator out whose memory nobody uses. */
    void *volatile block = _ZnwmRKSt9nothrow_t(huge, &nothrow);
    assert_null(block);
    probe_recorder_read_figures(&after);
    assert_true(after.allocated_bytes - before.allocated_bytes < 4096);
    assert_int_equal(after.allocations - before.allocations,
                     after.frees - before.frees);
}

static void test_a_block_of_no_bytes_is_a_block(void **state)
{
    (void)state;
    struct recorder_figures before;
    struct recorder_figures after;
    probe_recorder_read_figures(&before);
    void *block = malloc(0);
    assert_non_null(block);
    probe_recorder_read_figures(&after);
    assert_int_equal(after.allocations, before.allocations + 1);
    assert_int_equal(after.allocated_bytes, before.allocated_bytes);
    free(block);
    probe_recorder_read_figures(&after);
    assert_int_equal(after.frees, before.frees + 1);
}

static void test_what_the_probe_allocates_is_not_recorded(void **state)
{
    (void)state;
    struct recorder_figures before;
    struct recorder_figures after;
    void *recorded = malloc(20);
    probe_recorder_read_figures(&before);
    probe_inside++;
    void *own = malloc(30);
    free(recorded); /* but what goes is seen to go */
    probe_inside--;
    free(own);
    probe_recorder_read_figures(&after);
    assert_int_equal(after.allocations, before.allocations);
    assert_int_equal(after.frees, before.frees + 1);
}

static void test_the_calls_come_to_the_probe(void **state)
{
    (void)state;
    assert_true(probe_malloc_seen());
}

static int begin(void **state)
{
    (void)state;
    recorder_begin(RECORDER_EXACT, 0);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_calls_come_to_the_probe),
        cmocka_unit_test(test_books_are_equal_to_the_byte),
        cmocka_unit_test(test_errors_are_the_real_ones),
        cmocka_unit_test(test_an_operator_that_fails),
        cmocka_unit_test(test_a_block_of_no_bytes_is_a_block),
        cmocka_unit_test(test_what_the_probe_allocates_is_not_recorded),
    };
    return cmocka_run_group_tests(tests, begin, NULL);
}
