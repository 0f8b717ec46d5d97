/*
 * Somebody who knows where threads wait, and can keep a waiting thread there for as
 * long as its stack is read. Then that thread needs no signal, which would end some
 * waits early. In a program of our own nobody does, and every thread gets the signal.
 */
#ifndef PROBE_THREADS_THREAD_SOURCE_H
#define PROBE_THREADS_THREAD_SOURCE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "probe/threads/stack_walk.h"

/* A thread's stack that does not change until it is released. */
struct thread_hold {
    struct stack_registers registers;
    uintptr_t leaf;    /* shown in place of the first frame; 0: nothing is replaced */
    uint64_t waits;    /* how many waits the thread has begun, this one too */
    uintptr_t pointer; /* the thread's pointer, pthread_self(); 0: not known */
    bool copy;         /* the stack is a copy, and the thread may go on */
    uintptr_t sp;      /* of a copy: the stack pointer of the thread itself */
    uintptr_t
        end_begin; /* a frame at one of these addresses is where a copy ends ... */
    uintptr_t end_end;
    uintptr_t cut; /* ... and is shown as this one: the rest is not known */
};

enum thread_found {
    THREAD_HELD,        /* the hold is filled in */
    THREAD_TO_BE_ASKED, /* it may get the signal, and does not begin a wait before */
    THREAD_LEFT_ALONE,  /* neither: it stays without a stack */
};

/* The asker calls all of these but `answered`, one round at a time. */
struct thread_source {
    /* The number of the wait that the thread is in now (`waits` of its hold); 0: in
     * none. A thread that is in the wait of its last hold has the same stack. */
    uint64_t (*wait_now)(pid_t tid);
    enum thread_found (*hold)(pid_t tid, uint32_t round, struct thread_hold *ret_hold);
    void (*release)(pid_t tid, const struct thread_hold *hold); /* after THREAD_HELD */
    /* After THREAD_TO_BE_ASKED exactly one of these two: the thread itself has run its
     * handler; or no answer is expected any more. */
    void (*answered)(uint32_t round);
    void (*given_up)(pid_t tid, uint32_t round);
    void (*end)(uint32_t round); /* of the round */
};

#endif
