#include "probe/recorder/call_stack.h"

#include <link.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <unwind.h>

#include "probe/recorder/frame_rules.h"
#include "probe/recorder/unwinder.h"
#include "probe/recorder/visit.h"

/* No function has a larger frame: a step that is longer is wrong. */
#define FRAME_BYTES_MAX ((uintptr_t)256 * 1024 * 1024)

/* Where the thread's frames were the last time, which is where most of them are now. */
#define GUESSES 64
static _Thread_local uintptr_t guessed[GUESSES]
    __attribute__((tls_model("initial-exec")));

/* How many calls that may unload code are under way. */
static _Atomic int unloading;

/* How many of them have ended, but could not forget the rules. */
static _Atomic int owed;

/* How many objects the loader had unloaded when the rules were last forgotten. */
static _Atomic uint64_t unloaded;

/* Asks libunwind for the rule, and keeps it. */
static __attribute__((noinline)) struct frame_rule learn(struct frame_registers frame,
                                                         bool believed)
{
    bool known = false;
    struct frame_rule rule = probe_unwinder_learn(frame, &known);
    if (known && believed && atomic_load(&unloading) == 0) {
        probe_rule_add(frame.ip, rule);
    }
    return rule;
}

/* The same address. If it is the one of the last time, the processor need not wait
 * until it is computed: it has followed the guess meanwhile. This halves the time of a
 * stack, in which every address depends on the one before. */
static inline uintptr_t by_guess(uintptr_t address, size_t depth)
{
    uintptr_t guess = guessed[depth % GUESSES];
    if (guess == address) {
        address = guess;
        __asm__ volatile("" : "+r"(address)); /* keeps the compiler from joining both */
    } else {
        guessed[depth % GUESSES] = address;
    }
    return address;
}

/* The frame of the caller; all 0 if the result cannot be true. */
static inline struct frame_registers caller_of(struct frame_registers frame,
                                               struct frame_rule rule, size_t depth)
{
    uintptr_t base = rule.kind == FRAME_BY_BP ? frame.bp : frame.sp;
    uintptr_t cfa = base + (uintptr_t)(intptr_t)rule.cfa_offset;
    if (cfa - frame.sp - 1 >= FRAME_BYTES_MAX || cfa % 8 != 0) {
        return (struct frame_registers){0, 0, 0};
    }
    cfa = by_guess(cfa, depth);
    if (rule.bp_saved) {
        frame.bp = *(const uintptr_t *)(cfa + (uintptr_t)(intptr_t)rule.bp_offset);
    }
    return (struct frame_registers){*(const uintptr_t *)(cfa - 8), cfa, frame.bp};
}

size_t probe_call_stack(const void *frame_address, uintptr_t *frames, size_t size)
{
    /* The function has saved its caller's base pointer at its frame's address, the
     * return address is above. */
    const uintptr_t *start = frame_address;
    struct frame_registers frame = {start[1], (uintptr_t)(start + 2), start[0]};
    bool believed = atomic_load_explicit(&unloading, memory_order_acquire) == 0;
    struct frame_rules *rules =
        believed ? atomic_load_explicit(&probe_rules_current, memory_order_acquire)
                 : NULL;
    size_t depth = 0;
    while (depth < size && frame.ip != 0) {
        frames[depth++] = frame.ip - 1;
        struct frame_rule rule = probe_rule_find(rules, frame.ip);
        if (rule.kind == FRAME_UNKNOWN) {
            rule = learn(frame, believed);
        }
        if (rule.kind == FRAME_UNKNOWN) {
            return 0; /* the unwinder is busy: a part would be taken for the whole */
        }
        if (rule.kind == FRAME_LAST) {
            break;
        }
        struct frame_registers caller = {0, 0, 0};
        if (rule.kind != FRAME_ODD) {
            caller = caller_of(frame, rule, depth);
        }
        if (caller.sp == 0) {
            size_t walked = probe_unwinder_walk(start[1], frames, size);
            if (walked == UNWINDER_BUSY) {
                return 0;
            }
            return walked > depth ? walked : depth;
        }
        frame = caller;
    }
    return depth;
}

struct early_stack {
    uintptr_t first; /* the return address at which it begins */
    uintptr_t *frames;
    size_t depth;
    size_t size;
};

static _Unwind_Reason_Code early_frame(struct _Unwind_Context *context, void *argument)
{
    struct early_stack *stack = argument;
    uintptr_t ip = _Unwind_GetIP(context);
    if (stack->depth == stack->size || (ip == 0 && stack->depth > 0)) {
        return _URC_END_OF_STACK;
    }
    if (stack->depth > 0 || ip == stack->first) {
        stack->frames[stack->depth++] = ip - 1;
    }
    return _URC_NO_REASON;
}

size_t probe_call_stack_early(const void *frame_address, uintptr_t *frames, size_t size)
{
    const uintptr_t *start = frame_address;
    struct early_stack stack = {.first = start[1], .frames = frames, .size = size};
    _Unwind_Backtrace(early_frame, &stack);
    return stack.depth;
}

static int read_unloaded(struct dl_phdr_info *info, size_t size, void *argument)
{
    (void)size;
    *(uint64_t *)argument = info->dlpi_subs;
    return 1; /* the first object is enough */
}

void probe_call_stack_unloading(void)
{
    atomic_fetch_add(&unloading, 1);
}

void probe_call_stack_unloaded(void)
{
    uint64_t now = 0;
    struct probe_visit visit = probe_visit_begin();
    dl_iterate_phdr(read_unloaded, &now);
    if (atomic_load(&unloaded) == now || probe_rule_forget_all()) {
        atomic_store(&unloaded, now);
        atomic_fetch_sub(&unloading, 1 + atomic_exchange(&owed, 0));
    } else {
        atomic_fetch_add(&owed, 1); /* no rule is believed until the next time */
    }
    probe_visit_end(visit);
}
