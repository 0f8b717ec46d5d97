/*
 * The unwinder begins at its caller and follows the unwind information (DWARF's "call
 * frame information") of each function. So the function here calls it with unwind
 * information of its own, which says: my caller's registers are not on my stack, they
 * are in the structure that rbx points to. The unwinder goes on with these. It takes no
 * lock, so the other thread may hold any.
 */
#include "probe/threads/stack_walk.h"

#include <stddef.h>

#ifdef __x86_64__

_Static_assert(offsetof(struct stack_registers, rsp) == 8, "as below");
_Static_assert(offsetof(struct stack_registers, r15) == 56, "as below");

/* 0x0f: the caller's stack pointer is what is stored (0x06) at rbx (0x73) + 8.
 * 0x10: the register with this number is stored at rbx + offset. The numbers are those
 * of the x86-64 ABI, table 3.36: 16 is the return address, 6 is rbp, 3 is rbx. */
/* clang-format off */
__asm__(".text\n"
        ".globl probe_stack_walk\n"
        ".hidden probe_stack_walk\n"
        ".type probe_stack_walk, @function\n"
        "probe_stack_walk:\n"
        ".cfi_startproc\n"
        ".cfi_signal_frame\n"
        "pushq %rbx\n"
        ".cfi_adjust_cfa_offset 8\n"
        ".cfi_rel_offset rbx, 0\n"
        "movq %rdi, %rbx\n"
        "movq %rsi, %rdi\n"
        "movq %rdx, %rsi\n"
        ".cfi_remember_state\n"
        ".cfi_escape 0x0f, 3, 0x73, 8, 0x06\n"
        ".cfi_escape 0x10, 16, 2, 0x73, 0\n"
        ".cfi_escape 0x10, 6, 2, 0x73, 16\n"
        ".cfi_escape 0x10, 3, 2, 0x73, 24\n"
        ".cfi_escape 0x10, 12, 2, 0x73, 32\n"
        ".cfi_escape 0x10, 13, 2, 0x73, 40\n"
        ".cfi_escape 0x10, 14, 2, 0x73, 48\n"
        ".cfi_escape 0x10, 15, 2, 0x73, 56\n"
        "call _Unwind_Backtrace@PLT\n"
        ".cfi_restore_state\n"
        "popq %rbx\n"
        ".cfi_adjust_cfa_offset -8\n"
        ".cfi_restore rbx\n"
        "ret\n"
        ".cfi_endproc\n"
        ".size probe_stack_walk, . - probe_stack_walk\n");
/* clang-format on */

#else

void probe_stack_walk(const struct stack_registers *registers, _Unwind_Trace_Fn each,
                      void *argument)
{
    (void)registers, (void)each, (void)argument;
}

#endif
