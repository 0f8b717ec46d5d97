/*
 * Two bits a number: not begun, once, more than once. The kernel hands out numbers one
 * after the other, so few parts of the table are ever needed.
 */
#include "probe/resources/thread_numbers.h"

#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "probe/recorder/own_memory.h"

#define NUMBERS (1U << 22) /* the kernel's PID_MAX_LIMIT */
#define PART_BYTES 4096U
#define PART_NUMBERS (PART_BYTES * 4)

#define ONCE 1U
#define OFTEN 2U
#define BITS 3U

typedef _Atomic uint8_t part_byte;

static part_byte *_Atomic parts[NUMBERS / PART_NUMBERS];
static atomic_bool is_counting;
static atomic_bool has_lost; /* memory was short: nothing is certain any more */

/* The part with this number; NULL if there is none. */
static part_byte *part_of(uint32_t number)
{
    return number < NUMBERS ? atomic_load(&parts[number / PART_NUMBERS]) : NULL;
}

static uint32_t byte_of(uint32_t number)
{
    return number % PART_NUMBERS / 4;
}

static uint32_t shift_of(uint32_t number)
{
    return number % 4 * 2;
}

void probe_thread_number_count(pid_t tid)
{
    uint32_t number = (uint32_t)tid;
    int saved = errno;
    part_byte *part = part_of(number);
    if (part == NULL && number < NUMBERS) {
        part = probe_own_memory_take(PART_BYTES);
        atomic_store(&parts[number / PART_NUMBERS], part);
    }
    errno = saved;
    atomic_store(&is_counting, true);
    if (part == NULL) {
        atomic_store(&has_lost, true);
        return;
    }
    part_byte *byte = &part[byte_of(number)];
    bool again = ((atomic_load(byte) >> shift_of(number)) & BITS) != 0;
    atomic_fetch_or(byte, (uint8_t)((again ? OFTEN : ONCE) << shift_of(number)));
}

bool probe_thread_number_reused(pid_t tid)
{
    uint32_t number = (uint32_t)tid;
    if (!atomic_load(&is_counting) || atomic_load(&has_lost)) {
        return true;
    }
    part_byte *part = part_of(number);
    return part != NULL &&
           ((atomic_load(&part[byte_of(number)]) >> shift_of(number)) & OFTEN) != 0;
}
