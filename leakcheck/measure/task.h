/*
 * Threads as /proc shows them. A process whose main thread has ended lives on while
 * another one does: then it is a zombie by its own files, which are empty, and is read
 * by a thread that lives. Source: proc(5).
 */
#ifndef LEAKCHECK_MEASURE_TASK_H
#define LEAKCHECK_MEASURE_TASK_H

#include <stdbool.h>
#include <stdint.h>

/* What the stat file of a thread says. */
struct task {
    char state;       /* 'Z' or 'X': it has ended */
    int parent;       /* of the process */
    uint64_t started; /* clock ticks since boot */
};

/* Reads a thread of process `pid`; its main one has the same number. Returns whether it
 * is there. */
bool task_read(int pid, int tid, struct task *ret_task);

/* Whether the thread has not ended. */
bool task_lives(int pid, int tid);

/* A thread of the process that has not ended: the main one if it lives. 0: there is
 * none, so the process has ended. */
int task_living(int pid);

#endif
