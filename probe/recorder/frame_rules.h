/*
 * How to get from a function's frame to its caller's, for each return address that was
 * seen: the table that makes taking a stack fast. It belongs to all threads, and is
 * read without a lock. Terms: the CFA ("canonical frame address") is the value that the
 * stack pointer has after the function has returned; the return address is just below
 * it.
 */
#ifndef PROBE_RECORDER_FRAME_RULES_H
#define PROBE_RECORDER_FRAME_RULES_H

#include <stdbool.h>
#include <stdint.h>

enum frame_kind {
    FRAME_UNKNOWN,
    FRAME_BY_SP, /* CFA = stack pointer + cfa_offset */
    FRAME_BY_BP, /* CFA = base pointer (rbp) + cfa_offset */
    FRAME_LAST,  /* it has no caller */
    FRAME_ODD,   /* none of these: only libunwind itself gets further */
};

struct frame_rule {
    uint8_t kind;
    bool bp_saved;     /* the caller's base pointer is at CFA + bp_offset; or else it is
                          still in the register */
    int16_t bp_offset; /* bytes */
    int32_t cfa_offset;
};

/* The rule for this return address; FRAME_UNKNOWN if there is none. */
struct frame_rule probe_rule_find(uintptr_t address);

/* Adds a rule. When memory is short it is not kept. */
void probe_rule_add(uintptr_t address, struct frame_rule rule);

/* Forgets all rules: code was unloaded, and other code may get its addresses. */
void probe_rule_forget_all(void);

/* Around fork: nobody is changing the table. */
void probe_rule_hold(void);
void probe_rule_release(void);

#endif
