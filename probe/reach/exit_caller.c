#include "probe/reach/exit_caller.h"

#include <stdbool.h>
#include <unwind.h>

struct search {
    const struct process_parts *parts;
    struct parked_thread *thread;
};

#ifdef __x86_64__
/* The unwinder knows the registers by these numbers: System V ABI for AMD64, figure
 * 3.36. */
enum { RBX = 3, RBP = 6, R12 = 12, R13 = 13, R14 = 14, R15 = 15 };

/* What the unwinder calls the frame address is where the stack of the function began
 * when it made its call. */
static _Unwind_Reason_Code frame_look(struct _Unwind_Context *context, void *argument)
{
    struct search *search = argument;
    uintptr_t code = _Unwind_GetIP(context);
    if (code == 0 || probe_process_parts_is_lower(search->parts, code - 1)) {
        return _URC_NO_REASON;
    }
    search->thread->sp = _Unwind_GetCFA(context);
    search->thread->registers = (struct stack_registers){
        .rip = code,
        .rsp = search->thread->sp,
        .rbp = _Unwind_GetGR(context, RBP),
        .rbx = _Unwind_GetGR(context, RBX),
        .r12 = _Unwind_GetGR(context, R12),
        .r13 = _Unwind_GetGR(context, R13),
        .r14 = _Unwind_GetGR(context, R14),
        .r15 = _Unwind_GetGR(context, R15),
    };
    return _URC_NORMAL_STOP;
}

void probe_exit_caller_find(const struct process_parts *parts,
                            struct parked_thread *thread)
{
    struct search search = {parts, thread};
    _Unwind_Backtrace(frame_look, &search);
}
#else
void probe_exit_caller_find(const struct process_parts *parts,
                            struct parked_thread *thread)
{
    (void)parts;
    (void)thread;
}
#endif
