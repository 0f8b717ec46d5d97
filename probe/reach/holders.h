/*
 * Names for the roots: who holds a block, as a person would say it.
 *
 *   global signatures (leaky/slice_prefix.c:23)   a variable of the program, or of a
 *                                                 library with debug information
 *   thread-local NAME (FILE:LINE)
 *   thread "order": order_await_payment           the function in whose frame the
 *                                                 pointer is
 *   library libcrypto.so.3                        in the data of a library without
 *   mapping PATH                                  other memory; "anonymous"
 *   kernel: epoll                                 only the kernel has the pointer
 */
#ifndef PROBE_REACH_HOLDERS_H
#define PROBE_REACH_HOLDERS_H

#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "probe/reach/process_parts.h"
#include "probe/reach/shared_copy.h"
#include "probe/stacks/hash_table.h"

struct holder {
    size_t text;   /* offset of its name in `texts` */
    size_t file;   /* of its file; 0: not known */
    unsigned line; /* 0: not known */
};

/* Lives in memory that the caller owns; { 0 } is empty. */
struct holders {
    struct buffer texts;
    struct buffer entries; /* struct holder */
    struct table index;    /* by the name */
    uint32_t count;
};

/* Names every root of the copy: sets its holder. For reach_question; `argument` is the
 * holders. Returns 0 or -ENOMEM. */
int probe_holders_name(struct shared_copy *copy, const struct process_parts *parts,
                       void *argument);

const char *probe_holder_text(const struct holders *holders, uint32_t number);
const struct holder *probe_holder_at(const struct holders *holders, uint32_t number);

void probe_holders_release(struct holders *holders);

#endif
