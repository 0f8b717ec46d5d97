#include "probe/recorder/call_stack.h"

#include <link.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "probe/recorder/inside.h"
#include "probe/recorder/unwinder.h"

/* No function has a larger frame: a step that is longer is wrong. */
#define FRAME_BYTES_MAX ((uintptr_t)256 * 1024 * 1024)

/* How many calls that may unload code are under way. */
static _Atomic int unloading;

/* How many objects the loader had unloaded when the rules were last forgotten. */
static _Atomic uint64_t unloaded;

static struct frame_rule rule_for(struct frame_registers frame, bool believed)
{
    struct frame_rule rule = {.kind = FRAME_UNKNOWN};
    if (believed) {
        rule = probe_rule_find(frame.ip);
    }
    if (rule.kind == FRAME_UNKNOWN) {
        bool known = false;
        rule = probe_unwinder_learn(frame, &known);
        if (known && believed && atomic_load(&unloading) == 0) {
            probe_rule_add(frame.ip, rule);
        }
    }
    return rule;
}

/* Goes to the caller's frame. Returns false if the result cannot be true. */
static bool go_to_caller(struct frame_registers *frame, struct frame_rule rule)
{
    uintptr_t base = rule.kind == FRAME_BY_BP ? frame->bp : frame->sp;
    uintptr_t cfa = base + (uintptr_t)(intptr_t)rule.cfa_offset;
    if (cfa <= frame->sp || cfa - frame->sp > FRAME_BYTES_MAX || cfa % 8 != 0) {
        return false;
    }
    if (rule.bp_saved) {
        frame->bp = *(const uintptr_t *)(cfa + (uintptr_t)(intptr_t)rule.bp_offset);
    }
    frame->ip = *(const uintptr_t *)(cfa - 8);
    frame->sp = cfa;
    return true;
}

size_t probe_call_stack(const void *frame_address, uintptr_t *frames, size_t size)
{
    /* The function has saved its caller's base pointer at its frame's address, the
     * return address is above. */
    const uintptr_t *start = frame_address;
    struct frame_registers frame = {start[1], (uintptr_t)(start + 2), start[0]};
    bool believed = atomic_load_explicit(&unloading, memory_order_acquire) == 0;
    size_t depth = 0;
    while (depth < size && frame.ip != 0) {
        frames[depth++] = frame.ip - 1;
        struct frame_rule rule = rule_for(frame, believed);
        if (rule.kind == FRAME_LAST) {
            break;
        }
        if (rule.kind == FRAME_ODD || !go_to_caller(&frame, rule)) {
            size_t walked = probe_unwinder_walk(start[1], frames, size);
            return walked > depth ? walked : depth;
        }
    }
    return depth;
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
    probe_inside++;
    dl_iterate_phdr(read_unloaded, &now);
    probe_inside--;
    if (atomic_exchange(&unloaded, now) != now) {
        probe_rule_forget_all();
    }
    atomic_fetch_sub(&unloading, 1);
}
