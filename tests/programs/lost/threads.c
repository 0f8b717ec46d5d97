/* Blocks that are reached only from a thread: its stack, wherever that is, its
 * registers, what it was started with. */

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include "cases.h"

#define STACK_BYTES ((size_t)256 * 1024)
#define MASK 0x5a5a5a5a5a5a5a5aUL

static sem_t arrived;
static sem_t never;
static volatile int running;
static pid_t waiting; /* the thread that waits */

static NOINLINE void *keep_one(void)
{
    return case_fill(malloc(100), 100);
}

static NOINLINE void lose_one(void)
{
    case_fill(malloc(60), 60);
}

/* Waits until the thread waits: before that, its registers may still have anything. */
static NOINLINE void sleep_await(pid_t tid)
{
    char path[64];
    char text[128] = "";
    const char *end;
    snprintf(path, sizeof(path), "/proc/self/task/%d/stat", (int)tid);
    do {
        int file = open(path, O_RDONLY);
        case_need(file >= 0, path);
        ssize_t length = read(file, text, sizeof(text) - 1);
        close(file);
        text[length > 0 ? length : 0] = '\0';
        end = strrchr(text, ')'); /* of the thread's name; then its state */
    } while (end == NULL || strncmp(end, ") S", 3) != 0);
}

/* Starts a thread that nobody knows, and waits until it has arrived: if it goes on to
 * wait, until it does so. */
static NOINLINE void thread_start(void *(*function)(void *), void *argument,
                                  const pthread_attr_t *attributes)
{
    pthread_t thread;
    sem_init(&arrived, 0, 0);
    sem_init(&never, 0, 0);
    case_need(pthread_create(&thread, attributes, function, argument) == 0, "thread");
    while (sem_wait(&arrived) != 0) {
    }
    if (waiting != 0) {
        sleep_await(waiting);
    }
}

static NOINLINE void wait_for_ever(void)
{
    waiting = gettid();
    sem_post(&arrived);
    while (sem_wait(&never) != 0) {
    }
}

static void stack_of_main(void)
{
    void *volatile block = keep_one();
    lose_one();
    case_ready();
    (void)block;
}

static void *with_block_on_stack(void *argument)
{
    void *volatile block = keep_one();
    lose_one();
    case_use_stack();
    wait_for_ever();
    (void)block;
    return argument;
}

static void stack_of_thread(void)
{
    thread_start(with_block_on_stack, NULL, NULL);
    case_ready();
}

/* What the compiler keeps, in a register or on the stack, over a call that waits. */
static void *with_block_in_use(void *argument)
{
    char *block = keep_one();
    case_use_stack();
    wait_for_ever();
    case_fill(block, 100);
    return argument;
}

static void in_use_over_wait(void)
{
    thread_start(with_block_in_use, NULL, NULL);
    case_ready();
}

static uintptr_t *masked; /* where a thread gets its pointer from, as it is not seen */

static NOINLINE void keep_masked(void)
{
    static uintptr_t word;
    word = (uintptr_t)case_fill(malloc(100), 100) ^ MASK;
    masked = &word;
}

/* Only r12 has the pointer, while the thread waits in read. */
static void *with_register_waiting(void *argument)
{
    int pipes[2];
    char byte;
    case_need(pipe(pipes) == 0, "pipe");
    waiting = gettid();
    sem_post(&arrived);
#ifdef __x86_64__
    long result = 0; /* of read */
    __asm__ volatile("movq (%[masked]), %%r12\n\t"
                     "xorq %[mask], %%r12\n\t"
                     "movl $1, (%[running])\n\t"
                     "syscall\n\t"
                     "xorl %%r12d, %%r12d"
                     : "+a"(result)
                     : [masked] "r"(masked), [mask] "r"(MASK), [running] "r"(&running),
                       "D"((long)pipes[0]), "S"(&byte), "d"(1L)
                     : "rcx", "r11", "r12", "memory");
#else
    void *volatile block = (void *)(*masked ^ MASK);
    running = 1;
    (void)!read(pipes[0], &byte, 1);
    (void)block;
#endif
    return argument;
}

#ifdef __x86_64__
/* Only the kernel has the pointer: it is an argument of the call that waits. */
static void *with_argument_waiting(void *argument)
{
    int pipes[2];
    case_need(pipe(pipes) == 0, "pipe");
    waiting = gettid();
    sem_post(&arrived);
    long result = 0; /* of read */
    __asm__ volatile("movq (%[masked]), %%rsi\n\t"
                     "xorq %[mask], %%rsi\n\t"
                     "movl $1, (%[running])\n\t"
                     "syscall\n\t"
                     "xorl %%esi, %%esi"
                     : "+a"(result)
                     : [masked] "r"(masked), [mask] "r"(MASK), [running] "r"(&running),
                       "D"((long)pipes[0]), "d"(1L)
                     : "rcx", "rsi", "r11", "memory");
    return argument;
}

/* Only r12 has the pointer, while the thread waits in a function of the C library. The
 * call keeps clear of what the compiler has below the stack's end. */
static void *with_register_in_call(void *argument)
{
    waiting = gettid();
    sem_post(&arrived);
    uintptr_t *from = masked;
    uintptr_t mask = MASK;
    volatile int *mark = &running;
    int (*wait)(sem_t *) = sem_wait;
    sem_t *what = &never;
    __asm__ volatile("movq (%%rax), %%r12\n\t"
                     "xorq %%rcx, %%r12\n\t"
                     "movq %%rsp, %%rbx\n\t"
                     "subq $128, %%rsp\n\t"
                     "andq $-16, %%rsp\n\t"
                     "movl $1, (%%rdx)\n\t"
                     "call *%%rsi\n\t"
                     "movq %%rbx, %%rsp\n\t"
                     "xorl %%r12d, %%r12d"
                     : "+a"(from), "+c"(mask), "+d"(mark), "+S"(wait), "+D"(what)
                     :
                     : "rbx", "r8", "r9", "r10", "r11", "r12", "memory", "cc");
    return argument;
}
#else
#define with_argument_waiting with_register_waiting
#define with_register_in_call with_register_waiting
#endif

static NOINLINE void masked_await(void *(*function)(void *))
{
    keep_masked();
    thread_start(function, NULL, NULL);
    while (!running) {
    }
    sleep_await(waiting);
    case_ready();
}

static void register_of_waiting(void)
{
    masked_await(with_register_waiting);
}

static void argument_of_waiting(void)
{
    masked_await(with_argument_waiting);
}

static void register_in_call(void)
{
    masked_await(with_register_in_call);
}

/* Only the call that waits has the pointer, which its caller does not need any more. */
static void *with_argument_in_call(void *argument)
{
    int pipes[2];
    case_need(pipe(pipes) == 0, "pipe");
    waiting = gettid();
    sem_post(&arrived);
    running = 1;
    (void)!read(pipes[0], (void *)(*masked ^ MASK), 1);
    return argument;
}

static void argument_in_call(void)
{
    masked_await(with_argument_in_call);
}

/* Only r12 has the pointer, while the thread runs. */
static void *with_register_running(void *argument)
{
    sem_post(&arrived);
#ifdef __x86_64__
    __asm__ volatile("movq (%[masked]), %%r12\n\t"
                     "xorq %[mask], %%r12\n\t"
                     "movl $1, (%[running])\n"
                     "1:\n\t"
                     "pause\n\t"
                     "cmpl $0, (%[running])\n\t"
                     "jne 1b\n\t"
                     "xorl %%r12d, %%r12d"
                     :
                     : [masked] "r"(masked), [mask] "r"(MASK), [running] "r"(&running)
                     : "r12", "memory", "cc");
#else
    void *volatile block = (void *)(*masked ^ MASK);
    running = 1;
    while (running) {
    }
    (void)block;
#endif
    return argument;
}

static void register_of_running(void)
{
    keep_masked();
    thread_start(with_register_running, NULL, NULL);
    while (!running) {
    }
    case_ready();
}

#ifdef __x86_64__
/* Only a vector register has the pointer, while the thread runs. */
static void *with_vector_running(void *argument)
{
    sem_post(&arrived);
    __asm__ volatile("movq (%[masked]), %%rax\n\t"
                     "xorq %[mask], %%rax\n\t"
                     "movq %%rax, %%xmm7\n\t"
                     "xorl %%eax, %%eax\n\t"
                     "movl $1, (%[running])\n"
                     "1:\n\t"
                     "pause\n\t"
                     "cmpl $0, (%[running])\n\t"
                     "jne 1b\n\t"
                     "pxor %%xmm7, %%xmm7"
                     :
                     : [masked] "r"(masked), [mask] "r"(MASK), [running] "r"(&running)
                     : "rax", "xmm7", "memory", "cc");
    return argument;
}
#else
#define with_vector_running with_register_running
#endif

static void vector_register(void)
{
    keep_masked();
    thread_start(with_vector_running, NULL, NULL);
    while (!running) {
    }
    case_ready();
}

/* The thread does not use its argument any more, but the C library still has it. */
static void *forgets_argument(void *argument)
{
    argument = NULL;
    case_use_stack();
    wait_for_ever();
    return argument;
}

static void start_argument(void)
{
    thread_start(forgets_argument, keep_one(), NULL);
    case_ready();
}

/* ---- Stacks that the program has made ---- */

static NOINLINE void start_on(void *stack)
{
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    case_need(pthread_attr_setstack(&attributes, stack, STACK_BYTES) == 0, "stack");
    thread_start(with_block_on_stack, NULL, &attributes);
    pthread_attr_destroy(&attributes);
}

static NOINLINE char *pages_take(size_t bytes)
{
    char *area =
        mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    case_need(area != MAP_FAILED, "mmap");
    return area;
}

static void stack_from_mmap(void)
{
    start_on(pages_take(STACK_BYTES));
    case_ready();
}

/* Below the stack and above it are other things, in the same mapping. */
static void stack_amid_mapping(void)
{
    char *area = pages_take(3 * STACK_BYTES);
    *(void **)(area + 800) = keep_one();
    *(void **)(area + 3 * STACK_BYTES - 800) = keep_one();
    start_on(area + STACK_BYTES);
    case_ready();
}

static NOINLINE void *keep_stack(void)
{
    void *stack = NULL;
    case_need(posix_memalign(&stack, 4096, STACK_BYTES) == 0, "stack");
    return memset(stack, 0, STACK_BYTES);
}

static void stack_from_malloc(void)
{
    start_on(keep_stack());
    case_ready();
}

/* A signal that is handled on a stack of its own, from mmap or from malloc. */
static NOINLINE void on_signal(int number)
{
    void *volatile block = keep_one();
    lose_one();
    case_ready();
    (void)block;
    (void)number;
}

static void raise_on(void *stack)
{
    stack_t other = {.ss_sp = stack, .ss_size = STACK_BYTES};
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_ONSTACK};
    case_need(sigaltstack(&other, NULL) == 0, "sigaltstack");
    sigaction(SIGUSR1, &action, NULL);
    raise(SIGUSR1);
}

static void signal_stack_from_mmap(void)
{
    raise_on(pages_take(STACK_BYTES));
}

static void signal_stack_from_malloc(void)
{
    raise_on(keep_stack());
}

/* While a signal is handled on another stack, the thread's own stack is in use, too. */
static void below_signal_stack(void)
{
    void *volatile block = keep_one();
    case_use_stack(); /* all of this stack counts, also what is no longer in use */
    raise_on(pages_take(STACK_BYTES));
    (void)block;
}

static ucontext_t of_main;
static ucontext_t of_context;

/* A context that waits until somebody goes on with it: nobody does. */
static NOINLINE void in_context(void)
{
    void *volatile block = keep_one();
    lose_one();
    case_use_stack();
    swapcontext(&of_context, &of_main);
    (void)block;
}

static NOINLINE void context_run(void (*function)(void), void *stack)
{
    getcontext(&of_context);
    of_context.uc_stack.ss_sp = stack;
    of_context.uc_stack.ss_size = STACK_BYTES;
    of_context.uc_link = &of_main;
    makecontext(&of_context, function, 0);
    swapcontext(&of_main, &of_context);
}

static void context_from_malloc(void)
{
    context_run(in_context, keep_stack());
    case_ready();
}

static void context_from_mmap(void)
{
    context_run(in_context, pages_take(STACK_BYTES));
    case_ready();
}

/* The case is looked at from within the context: main's own stack is in use below. */
static NOINLINE void ready_in_context(void)
{
    case_ready();
}

static void below_context(void)
{
    void *volatile block = keep_one();
    context_run(ready_in_context, keep_stack());
    (void)block;
}

/* What is beside the stack that is in use may be something else. */
static void context_amid_mapping(void)
{
    char *area = pages_take(3 * STACK_BYTES);
    *(void **)(area + 800) = keep_one();
    *(void **)(area + 3 * STACK_BYTES - 800) = keep_one();
    context_run(ready_in_context, area + STACK_BYTES);
}

/* ---- What ended threads leave ---- */

static NOINLINE void *lose_with_thread(void *argument)
{
    void *volatile on_stack[200];
    for (int i = 0; i < 200; i++) {
        on_stack[i] = case_fill(malloc(10), 10);
    }
    (void)on_stack;
    return argument;
}

static NOINLINE void *lose_argument(void)
{
    return case_fill(malloc(500), 500);
}

/* Each starts with an argument that it does not free, in turn on the same stack. */
static void joined_threads(void)
{
    for (int i = 0; i < 5; i++) {
        pthread_t thread;
        case_need(pthread_create(&thread, NULL, lose_with_thread, lose_argument()) == 0,
                  "thread");
        pthread_join(thread, NULL);
    }
    case_ready();
}

/* The kernel takes the last thing that a thread has: its tid. */
static NOINLINE void *ends_detached(void *argument)
{
    pthread_detach(pthread_self());
    *(pid_t *)argument = gettid();
    lose_with_thread(NULL);
    sem_post(&arrived);
    return NULL;
}

static void tid_await(pid_t tid)
{
    while (tgkill(getpid(), tid, 0) == 0 || errno != ESRCH) {
        sched_yield();
    }
}

static void detached_thread(void)
{
    static pid_t tid;
    thread_start(ends_detached, &tid, NULL);
    tid_await(tid);
    case_ready();
}

/* What a thread returned is still to be had by pthread_join. */
static pid_t tid_of_result;

static NOINLINE void *keep_result(void *argument)
{
    tid_of_result = gettid();
    sem_post(&arrived);
    (void)argument;
    return case_fill(malloc(100), 100);
}

static void unjoined_result(void)
{
    thread_start(keep_result, NULL, NULL);
    tid_await(tid_of_result);
    case_ready();
}

/* A thread's own arena: blocks there, and what a freed block there has. */
static NOINLINE void *uses_arena(void *argument)
{
    void *volatile *owner = case_fill(malloc(3000), 3000);
    owner[125] = argument;
    free((void *)owner);
    return NULL;
}

static NOINLINE void *lose_to_arena(void)
{
    return case_fill(malloc(120), 120);
}

static NOINLINE void arena_use(void)
{
    pthread_t thread;
    case_need(pthread_create(&thread, NULL, uses_arena, lose_to_arena()) == 0,
              "thread");
    pthread_join(thread, NULL);
}

static void emptied_arena(void)
{
    arena_use();
    case_ready();
}

static void *volatile held;

static NOINLINE void *keep_in_arena(void *argument)
{
    void **block = case_fill(malloc(100), 100);
    *block = case_fill(malloc(200), 200);
    held = block;
    case_fill(malloc(60), 60); /* is lost */
    return argument;
}

static void arena(void)
{
    pthread_t thread;
    case_need(pthread_create(&thread, NULL, keep_in_arena, NULL) == 0, "thread");
    pthread_join(thread, NULL);
    case_ready();
}

/* Ten threads, each with a block in its hands and one lost. */
static void many_threads(void)
{
    for (int i = 0; i < 10; i++) {
        thread_start(with_block_on_stack, NULL, NULL);
    }
    case_ready();
}

#define STACK_KEPT KEPT("keep_one", 1, 100)
#define STACK_LOST LOST("lose_one", 1, 60, 1, 60)

static const struct lost_case cases[] = {
    {"stack-of-main", stack_of_main, .lost = {STACK_LOST}, .kept = {STACK_KEPT}},
    {"stack-of-thread", stack_of_thread, .lost = {STACK_LOST}, .kept = {STACK_KEPT}},
    {"in-use-over-wait", in_use_over_wait, .kept = {STACK_KEPT}},
    {"register-of-waiting", register_of_waiting, .kept = {KEPT("keep_masked", 1, 100)}},
    {"argument-of-waiting", argument_of_waiting, .kept = {KEPT("keep_masked", 1, 100)}},
    {"register-in-call", register_in_call, .kept = {KEPT("keep_masked", 1, 100)}},
    {"argument-in-call", argument_in_call, .kept = {KEPT("keep_masked", 1, 100)}},
    {"register-of-running", register_of_running, .kept = {KEPT("keep_masked", 1, 100)}},
    {"vector-register", vector_register, .kept = {KEPT("keep_masked", 1, 100)}},
    {"start-argument", start_argument, .kept = {STACK_KEPT}},
    {"stack-from-mmap", stack_from_mmap, .lost = {STACK_LOST}, .kept = {STACK_KEPT}},
    {"stack-amid-mapping", stack_amid_mapping, .lost = {STACK_LOST},
     .kept = {KEPT("keep_one", 3, 300)}},
    {"context-amid-mapping", context_amid_mapping, .kept = {KEPT("keep_one", 2, 200)}},
    {"stack-from-malloc", stack_from_malloc, .lost = {STACK_LOST},
     .kept = {STACK_KEPT, KEPT("keep_stack", 1, STACK_BYTES)}},
    {"signal-stack-from-mmap", signal_stack_from_mmap, .lost = {STACK_LOST},
     .kept = {STACK_KEPT}},
    {"signal-stack-from-malloc", signal_stack_from_malloc, .lost = {STACK_LOST},
     .kept = {STACK_KEPT, KEPT("keep_stack", 1, STACK_BYTES)}},
    {"below-signal-stack", below_signal_stack, .lost = {STACK_LOST},
     .kept = {KEPT("keep_one", 2, 200)}},
    {"context-from-malloc", context_from_malloc, .lost = {STACK_LOST},
     .kept = {STACK_KEPT, KEPT("keep_stack", 1, STACK_BYTES)}},
    {"context-from-mmap", context_from_mmap, .lost = {STACK_LOST},
     .kept = {STACK_KEPT}},
    {"below-context", below_context,
     .kept = {STACK_KEPT, KEPT("keep_stack", 1, STACK_BYTES)}},
    {"joined-threads", joined_threads,
     .lost = {LOST("lose_with_thread", 1000, 10000, 1000, 10000),
              LOST("lose_argument", 5, 2500, 5, 2500)}},
    {"detached-thread", detached_thread,
     .lost = {LOST("lose_with_thread", 200, 2000, 200, 2000)}},
    {"unjoined-result", unjoined_result, .kept = {KEPT("keep_result", 1, 100)}},
    {"emptied-arena", emptied_arena, .lost = {LOST("lose_to_arena", 1, 120, 1, 120)}},
    {"arena", arena, .lost = {LOST("keep_in_arena", 1, 60, 1, 60)},
     .kept = {KEPT("keep_in_arena", 2, 300)}},
    {"many-threads", many_threads, .lost = {LOST("lose_one", 10, 600, 10, 600)},
     .kept = {KEPT("keep_one", 10, 1000)}},
    {.name = NULL},
};

int main(int count, char **arguments)
{
    return cases_main(count, arguments, cases);
}
