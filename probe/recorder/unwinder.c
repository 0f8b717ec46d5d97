#define UNW_LOCAL_ONLY
#include "probe/recorder/unwinder.h"

#include <dlfcn.h>
#include <errno.h>
#include <libunwind.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/range.h"
#include "probe/process/loaded_code.h"
#include "probe/recorder/lock.h"
#include "probe/recorder/visit.h"

#define TEXT_OF(name) #name
#define SYMBOL_OF(name) TEXT_OF(name)     /* unw_step -> "_ULx86_64_step" */
#define ROOM_BYTES ((uintptr_t)16 * 1024) /* that libunwind may need of the stack */

/* Where the library's code is; 0: nowhere yet. */
static _Atomic uintptr_t code_start;
static _Atomic uintptr_t code_end;

static void code_note(uintptr_t function)
{
    struct range code = probe_loaded_code(function);
    atomic_store(&code_start, code.start);
    atomic_store(&code_end, code.end);
}

/* The stack that the thread has for its signal handlers. */
static _Thread_local struct range handler_stack
    __attribute__((tls_model("initial-exec")));

void probe_unwinder_handler_stack(const stack_t *stack)
{
    handler_stack.end = 0;
    if ((stack->ss_flags & SS_DISABLE) == 0) {
        handler_stack.start = (uintptr_t)stack->ss_sp;
        handler_stack.end = handler_stack.start + stack->ss_size;
    }
}

bool probe_unwinder_has(uintptr_t code)
{
    return code >= atomic_load(&code_start) && code < atomic_load(&code_end);
}

#if defined(__x86_64__)

static struct {
    void *library;
    int (*get_context)(unw_context_t *context);
    int (*init_local)(unw_cursor_t *cursor, unw_context_t *context);
    int (*step)(unw_cursor_t *cursor);
    int (*get_reg)(unw_cursor_t *cursor, unw_regnum_t number, unw_word_t *ret_value);
    int (*get_save_loc)(unw_cursor_t *cursor, int number, unw_save_loc_t *ret_location);
    int (*get_proc_info)(unw_cursor_t *cursor, unw_proc_info_t *ret_info);
    int (*is_signal_frame)(unw_cursor_t *cursor);
} unwind;

/* How many threads are inside libunwind, and whether one wants to fork. */
static _Atomic int users;
static _Atomic bool forking;

void *probe_unwinder_symbol(const char *symbol)
{
    return unwind.library == NULL ? NULL : dlsym(unwind.library, symbol);
}

/* Sets a pointer to a function of the library. Returns whether it is there. */
static bool resolve(void *function, const char *symbol)
{
    void *address = dlsym(unwind.library, symbol);
    memcpy(function, &address, sizeof(address));
    return address != NULL;
}

int probe_unwinder_open(void)
{
    if (unwind.library != NULL) {
        return 0;
    }
    unwind.library = dlopen("libunwind.so.8", RTLD_NOW | RTLD_LOCAL);
    if (unwind.library == NULL) {
        return -ENOSYS;
    }
    int (*set_policy)(unw_addr_space_t space, unw_caching_policy_t policy);
    unw_addr_space_t *space = dlsym(unwind.library, SYMBOL_OF(unw_local_addr_space));
    if (space == NULL || !resolve(&set_policy, SYMBOL_OF(unw_set_caching_policy)) ||
        !resolve(&unwind.get_context, "_Ux86_64_getcontext") ||
        !resolve(&unwind.init_local, SYMBOL_OF(unw_init_local)) ||
        !resolve(&unwind.step, SYMBOL_OF(unw_step)) ||
        !resolve(&unwind.get_reg, SYMBOL_OF(unw_get_reg)) ||
        !resolve(&unwind.get_save_loc, SYMBOL_OF(unw_get_save_loc)) ||
        !resolve(&unwind.get_proc_info, SYMBOL_OF(unw_get_proc_info)) ||
        !resolve(&unwind.is_signal_frame, SYMBOL_OF(unw_is_signal_frame))) {
        dlclose(unwind.library);
        unwind.library = NULL;
        return -ENOSYS;
    }
    code_note((uintptr_t)unwind.step);
    set_policy(*space, UNW_CACHE_NONE); /* it opens its pipe */
    return 0;
}

/* Whether there is room for libunwind, which needs some KiB of stack: on the stack that
 * a signal handler has for itself there may be less. The kernel is not asked what that
 * is: the program may have forbidden the call, and during a handler it may say that
 * there is none (SS_AUTODISARM). */
static bool has_room(void)
{
    uintptr_t here = (uintptr_t)__builtin_frame_address(0);
    return !range_has(handler_stack, here) || here - handler_stack.start >= ROOM_BYTES;
}

/* libunwind tries memory by reading it through a pipe: a thread that is to be cancelled
 * would end there, in the middle of malloc. Returns false if a thread is forking for
 * long: as for a lock (lock.h), it may wait for this one. */
static bool enter(struct probe_visit *ret_visit)
{
    *ret_visit = probe_visit_begin();
    int64_t end = 0;
    atomic_fetch_add(&users, 1);
    while (atomic_load(&forking)) {
        atomic_fetch_sub(&users, 1);
        int64_t now = clock_now_ns();
        end = end == 0 ? now + LOCK_PATIENCE_NS : end;
        if (now >= end) {
            probe_visit_end(*ret_visit);
            return false;
        }
        sched_yield();
        atomic_fetch_add(&users, 1);
    }
    return true;
}

static void leave(struct probe_visit visit)
{
    atomic_fetch_sub(&users, 1);
    probe_visit_end(visit);
}

/* A part of a stack, made up: wherever a rule looks in it, it finds the address of
 * another place in it. */
#define MADE_UP_WORDS 96
#define MADE_UP_MIDDLE 48
struct made_up {
    uintptr_t words[MADE_UP_WORDS];
};

static void make_up(struct made_up *stack)
{
    for (size_t i = 0; i < MADE_UP_WORDS; i++) {
        stack->words[i] = (uintptr_t)&stack->words[MADE_UP_MIDDLE + i % 16];
    }
}

/* What one step from a frame led to. */
struct step {
    int result;          /* of unw_step */
    bool no_information; /* nothing says how this code uses its stack */
    bool is_signal;
    uintptr_t cfa;
    uintptr_t ip;
    bool bp_lost;
    bool bp_saved;
    intptr_t bp_offset;
};

/* Steps from a frame whose other registers are not known: they point into the stack
 * that is made up. */
static struct step step_from(struct frame_registers frame, struct made_up *made_up)
{
    unw_context_t context;
    unw_cursor_t cursor;
    unw_proc_info_t info;
    struct step step = {.result = -1};
    memset(&context, 0, sizeof(context));
    greg_t *registers = context.uc_mcontext.gregs;
    for (int i = 0; i < NGREG; i++) {
        registers[i] = (greg_t)&made_up->words[MADE_UP_MIDDLE];
    }
    registers[REG_RIP] = (greg_t)frame.ip;
    registers[REG_RSP] = (greg_t)frame.sp;
    registers[REG_RBP] = (greg_t)frame.bp;
    if (unwind.init_local(&cursor, &context) < 0) {
        return step;
    }
    step.no_information = unwind.get_proc_info(&cursor, &info) < 0;
    step.is_signal = unwind.is_signal_frame(&cursor) > 0;
    if (step.no_information || step.is_signal) {
        return step;
    }
    unw_word_t value = 0;
    unw_save_loc_t saved;
    step.result = unwind.step(&cursor);
    if (unwind.get_reg(&cursor, UNW_X86_64_RSP, &value) == 0) {
        step.cfa = value;
    }
    if (unwind.get_reg(&cursor, UNW_X86_64_RIP, &value) == 0) {
        step.ip = value;
    }
    if (unwind.get_save_loc(&cursor, UNW_X86_64_RBP, &saved) != 0 ||
        saved.type != UNW_SLT_MEMORY) {
        step.bp_lost = true;
    } else if (saved.u.addr != (uintptr_t)&registers[REG_RBP]) {
        step.bp_saved = true;
        step.bp_offset = (intptr_t)(saved.u.addr - step.cfa);
    }
    return step;
}

/* The rule is not said by libunwind, but seen: the CFA moves with one of the two
 * registers when that register is another one, and with that register alone. */
static struct frame_rule rule_of(struct frame_registers frame, const struct step *step,
                                 struct made_up *made_up)
{
    struct frame_rule rule = {.kind = FRAME_ODD};
    uintptr_t other = (uintptr_t)&made_up->words[MADE_UP_MIDDLE];
    struct step by_sp =
        step_from((struct frame_registers){frame.ip, other, frame.bp}, made_up);
    struct step by_bp =
        step_from((struct frame_registers){frame.ip, frame.sp, other}, made_up);
    intptr_t offset = 0;
    if (by_sp.cfa - other == step->cfa - frame.sp && by_bp.cfa == step->cfa) {
        rule.kind = FRAME_BY_SP;
        offset = (intptr_t)(step->cfa - frame.sp);
    } else if (by_bp.cfa - other == step->cfa - frame.bp && by_sp.cfa == step->cfa) {
        rule.kind = FRAME_BY_BP;
        offset = (intptr_t)(step->cfa - frame.bp);
    }
    bool fits = offset == (int32_t)offset && !step->bp_lost &&
                (!step->bp_saved || step->bp_offset == (int16_t)step->bp_offset);
    if (!fits || step->cfa <= frame.sp || *(uintptr_t *)(step->cfa - 8) != step->ip) {
        rule.kind = FRAME_ODD;
        return rule;
    }
    rule.cfa_offset = (int32_t)offset;
    rule.bp_saved = step->bp_saved;
    rule.bp_offset = (int16_t)step->bp_offset;
    return rule;
}

static __attribute__((noinline)) struct frame_rule learn(struct frame_registers frame,
                                                         bool *ret_known)
{
    struct made_up made_up;
    struct probe_visit visit;
    if (!enter(&visit)) {
        *ret_known = false;
        return (struct frame_rule){.kind = FRAME_UNKNOWN};
    }
    make_up(&made_up);
    struct step step = step_from(frame, &made_up);
    struct frame_rule rule = {.kind = FRAME_ODD};
    *ret_known = !step.no_information;
    if (step.is_signal) {
        /* What a handler has interrupted is a matter of chance: with it every signal
         * would make new stacks, without end. */
        rule.kind = FRAME_LAST;
    } else if (step.result > 0) {
        rule = rule_of(frame, &step, &made_up);
    } else if (!step.no_information) {
        /* A return address of 0 ends this stack; the same code may be called from
         * elsewhere in another one. */
        uintptr_t other = (uintptr_t)&made_up.words[MADE_UP_MIDDLE];
        struct step again =
            step_from((struct frame_registers){frame.ip, other, other}, &made_up);
        rule.kind = FRAME_LAST;
        *ret_known = again.result <= 0;
    }
    leave(visit);
    return rule;
}

struct frame_rule probe_unwinder_learn(struct frame_registers frame, bool *ret_known)
{
    if (!has_room()) {
        *ret_known = false;
        return (struct frame_rule){.kind = FRAME_LAST};
    }
    return learn(frame, ret_known);
}

static __attribute__((noinline)) size_t walk(uintptr_t first_ip, uintptr_t *frames,
                                             size_t size)
{
    unw_context_t context;
    unw_cursor_t cursor;
    size_t depth = 0;
    bool found = false;
    struct probe_visit visit;
    if (!enter(&visit)) {
        return UNWINDER_BUSY;
    }
    unwind.get_context(&context);
    bool going = unwind.init_local(&cursor, &context) == 0;
    while (going && depth < size) {
        /* A step from a signal's frame leads to what the handler has interrupted. */
        unw_word_t ip = 0;
        going = unwind.step(&cursor) > 0 && unwind.is_signal_frame(&cursor) <= 0 &&
                unwind.get_reg(&cursor, UNW_REG_IP, &ip) == 0 && ip != 0;
        found = found || ip == first_ip;
        if (going && found) {
            frames[depth++] = ip - 1;
        }
    }
    leave(visit);
    return depth;
}

size_t probe_unwinder_walk(uintptr_t first_ip, uintptr_t *frames, size_t size)
{
    return has_room() ? walk(first_ip, frames, size) : 0;
}

void probe_unwinder_hold(void)
{
    /* A thread inside libunwind may wait for the loader's lock, whose holder may wait
     * for us in enter(): then fork must not wait for ever. */
    atomic_store(&forking, true);
    for (int i = 0; i < 20000 && atomic_load(&users) > 0; i++) {
        sched_yield();
    }
}

void probe_unwinder_release(void)
{
    atomic_store(&forking, false);
}

void probe_unwinder_fork_child(void)
{
    atomic_store(&users, 0);
    atomic_store(&forking, false);
}

#else /* another processor: libunwind's own way, without rules */

static struct {
    void *library;
    int (*backtrace)(void **buffer, int size);
} unwind;

void *probe_unwinder_symbol(const char *symbol)
{
    return unwind.library == NULL ? NULL : dlsym(unwind.library, symbol);
}

int probe_unwinder_open(void)
{
    if (unwind.library == NULL) {
        unwind.library = dlopen("libunwind.so.8", RTLD_NOW | RTLD_LOCAL);
    }
    void *backtrace = probe_unwinder_symbol("unw_backtrace");
    memcpy(&unwind.backtrace, &backtrace, sizeof(backtrace));
    code_note((uintptr_t)backtrace);
    return backtrace == NULL ? -ENOSYS : 0;
}

struct frame_rule probe_unwinder_learn(struct frame_registers frame, bool *ret_known)
{
    (void)frame;
    *ret_known = false;
    return (struct frame_rule){.kind = FRAME_ODD};
}

size_t probe_unwinder_walk(uintptr_t first_ip, uintptr_t *frames, size_t size)
{
    int depth = unwind.backtrace((void **)frames, (int)size);
    size_t first = 0;
    while (first < (size_t)depth && frames[first] != first_ip) {
        first++;
    }
    for (size_t i = first; i < (size_t)depth; i++) {
        frames[i - first] = frames[i] - 1;
    }
    return depth < 0 ? 0 : (size_t)depth - first;
}

void probe_unwinder_hold(void)
{
}

void probe_unwinder_release(void)
{
}

void probe_unwinder_fork_child(void)
{
}

#endif
