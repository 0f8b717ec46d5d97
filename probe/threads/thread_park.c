#include "probe/threads/thread_park.h"

#include <limits.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

/* Below its stack pointer a function may use this much (x86-64 ABI, "red zone"). */
#define RED_ZONE 128

static atomic_uint released; /* the last round whose threads may go */

#ifdef __x86_64__

/* Where the kernel has saved the vector registers: at least the 512 bytes of FXSAVE. If
 * there is more, the bytes that software may use say so. Source: the kernel's
 * arch/x86/include/uapi/asm/sigcontext.h, struct _fpx_sw_bytes. */
static struct range vector_registers(const ucontext_t *context)
{
    struct range part = {(uintptr_t)context->uc_mcontext.fpregs, 0};
    if (part.start == 0) {
        return part;
    }
    uint32_t software[2]; /* magic number, size of all */
    memcpy(software, (const char *)part.start + 464, sizeof(software));
    bool extended =
        software[0] == 0x46505853U && software[1] >= 512 && software[1] <= 64 * 1024;
    part.end = part.start + (extended ? software[1] : 512);
    return part;
}

void probe_thread_park_fill(const ucontext_t *context, struct parked_thread *thread)
{
    const greg_t *saved = context->uc_mcontext.gregs;
    thread->exact = true;
    thread->shown = true;
    thread->sp = (uintptr_t)saved[REG_RSP] - RED_ZONE;
    thread->pointer = (uintptr_t)__builtin_thread_pointer();
    thread->registers = (struct stack_registers){
        .rip = (uintptr_t)saved[REG_RIP],
        .rsp = (uintptr_t)saved[REG_RSP],
        .rbp = (uintptr_t)saved[REG_RBP],
        .rbx = (uintptr_t)saved[REG_RBX],
        .r12 = (uintptr_t)saved[REG_R12],
        .r13 = (uintptr_t)saved[REG_R13],
        .r14 = (uintptr_t)saved[REG_R14],
        .r15 = (uintptr_t)saved[REG_R15],
    };
    thread->leaf = 0;
    thread->saved[0] = (struct range){(uintptr_t)saved, (uintptr_t)(saved + NGREG)};
    thread->saved[1] = vector_registers(context);
}

#else

void probe_thread_park_fill(const ucontext_t *context, struct parked_thread *thread)
{
    (void)context;
    *thread = (struct parked_thread){.tid = thread->tid};
}

#endif

void probe_thread_park_stay(uint32_t round)
{
    int64_t end = clock_now_ns() + THREADS_PARK_MS * CLOCK_NS_PER_MS;
    unsigned seen;
    while ((int32_t)((seen = atomic_load(&released)) - round) < 0) {
        int64_t left = end - clock_now_ns();
        if (left <= 0) {
            return;
        }
        struct timespec timeout = {.tv_sec = left / CLOCK_NS_PER_SECOND,
                                   .tv_nsec = left % CLOCK_NS_PER_SECOND};
        syscall(SYS_futex, &released, FUTEX_WAIT_PRIVATE, seen, &timeout, NULL, 0);
    }
}

void probe_thread_park_release(uint32_t round)
{
    atomic_store(&released, round);
    syscall(SYS_futex, &released, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}
