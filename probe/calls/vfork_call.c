/*
 * vfork: the child runs on the parent's stack and with its memory, until it executes a
 * program or ends; only then does the parent go on. So this function must have left its
 * frame before the child returns from it, and come back for the parent: the return
 * address waits in a register, as in glibc's sysdeps/unix/sysv/linux/x86_64/vfork.S.
 * Only assembly can do without a frame. On other processors vfork is not replaced: its
 * children are made unseen there, and a child's own descriptors are taken for the
 * parent's.
 */
#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "probe/calls/real_function.h"
#include "probe/resources/child_notes.h"

#if defined(__x86_64__) && !defined(__ILP32__)

pid_t probe_vfork_returned(long result, const void *frame)
    __attribute__((visibility("hidden")));

/* In the parent, on a frame like a function's. */
pid_t probe_vfork_returned(long result, const void *frame)
{
    if (result < 0) {
        errno = (int)-result;
        return -1;
    }
    probe_child_made((pid_t)result, frame);
    return (pid_t)result;
}

#define TEXT(value) TEXT_OF(value)
#define TEXT_OF(value) #value

/* The kernel keeps the parent's registers: rdi has the return address, rsi the place of
 * probe_in_vfork, and edx what was there: 1 in the child of another vfork. The child
 * jumps back, as a shadow stack, which both share, must stay as it is. */
__asm__(".pushsection .text\n"
        ".globl vfork\n"
        ".type vfork, @function\n"
        "vfork:\n"
        ".cfi_startproc\n"
        "    endbr64\n"
        "    movq probe_in_vfork@gottpoff(%rip), %rsi\n"
        "    movl %fs:(%rsi), %edx\n"
        "    popq %rdi\n"
        ".cfi_adjust_cfa_offset -8\n"
        ".cfi_register %rip, %rdi\n"
        "    movl $" TEXT(__NR_vfork) ", %eax\n"
                                      "    syscall\n"
                                      "    testq %rax, %rax\n"
                                      "    jz 1f\n"
                                      "    pushq %rdi\n"
                                      ".cfi_adjust_cfa_offset 8\n"
                                      ".cfi_rel_offset %rip, 0\n"
                                      "    movl %edx, %fs:(%rsi)\n"
                                      "    pushq %rbp\n"
                                      ".cfi_adjust_cfa_offset 8\n"
                                      ".cfi_rel_offset %rbp, 0\n"
                                      "    movq %rsp, %rbp\n"
                                      ".cfi_def_cfa_register %rbp\n"
                                      "    movq %rax, %rdi\n"
                                      "    movq %rbp, %rsi\n"
                                      "    call probe_vfork_returned\n"
                                      "    popq %rbp\n"
                                      ".cfi_def_cfa %rsp, 8\n"
                                      ".cfi_restore %rbp\n"
                                      "    ret\n"
                                      "1:\n"
                                      ".cfi_def_cfa %rsp, 0\n"
                                      ".cfi_register %rip, %rdi\n"
                                      "    movl $1, %fs:(%rsi)\n"
                                      "    jmpq *%rdi\n"
                                      ".cfi_endproc\n"
                                      ".size vfork, . - vfork\n"
                                      ".popsection\n");

#endif
