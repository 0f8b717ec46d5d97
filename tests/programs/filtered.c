/*
 * It forbids itself a system call that it does not need, and then allocates in
 * functions that nobody has seen before: what takes their stacks must make no such
 * call. With an argument it forbids all its threads another one, that lists a
 * directory, by syscall(2), and waits for the end of its input.
 */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static void *volatile held;

static __attribute__((noinline)) int inner(void)
{
    held = malloc(100);
    return held != NULL;
}

static __attribute__((noinline)) int outer(void)
{
    return inner() == 1;
}

int main(int count, char **arguments)
{
    const bool by_number = count > 1;
    struct sock_filter steps[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
                 by_number ? SYS_getdents64 : SYS_sigaltstack, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const struct sock_fprog filter = {sizeof(steps) / sizeof(steps[0]), steps};
    (void)arguments;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        return 1;
    }
    if (by_number) {
        char byte;
        long error = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
                             SECCOMP_FILTER_FLAG_TSYNC, &filter);
        puts(error == 0 ? "ready" : "not filtered");
        fflush(stdout);
        return read(STDIN_FILENO, &byte, 1) == 0 && error == 0 ? 4 : 1;
    }
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0) {
        return 1;
    }
    printf("allocated %d\n", outer());
    return 0;
}
