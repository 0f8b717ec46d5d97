/*
 * What the C library keeps of a thread, at the thread's pointer: tcbhead_t and struct
 * pthread, see glibc's sysdeps/x86_64/nptl/tls.h and nptl/descr.h. Where a field is
 * differs between versions; so it is found in the calling thread's own data, whose
 * values are known.
 *
 * All but the first two functions read memory that may be gone: they are called in the
 * frozen copy of the process (reach.h), which survives that.
 */
#ifndef PROBE_REACH_THREAD_MEMORY_H
#define PROBE_REACH_THREAD_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "probe/reach/ranges.h"

#define THREAD_MEMORY_BYTES 4096 /* of what is kept above the pointer, and more */

/* Distances of fields above a thread's pointer; 0: not known. */
struct thread_layout {
    size_t tid;
    size_t stack; /* three words: its start with the guard, its bytes, the guard's */
};

/* Where the main thread's stack began: above are the arguments and the environment. 0
 * if that is not known. Not while other threads are stopped: it asks the loader. */
uintptr_t probe_main_stack_end(void);

/* Finds them in the calling thread's data. */
struct thread_layout probe_thread_layout_find(uintptr_t pointer);

/* Whether this is a thread's pointer. */
bool probe_thread_pointer_is(uintptr_t address);

/* The tid; what `layout` says of it must be known. */
pid_t probe_thread_tid(const struct thread_layout *layout, uintptr_t pointer);

/* The thread's stack, from the guard on. {0, 0} if it is not known: then it is the
 * kernel's, as that of the main thread. ret_guard gets the guard's bytes; may be NULL.
 */
struct range probe_thread_stack(const struct thread_layout *layout, uintptr_t pointer,
                                uintptr_t *ret_guard);

/* Whether the C library has the thread's stack in its list of those in use, as until an
 * ended thread is joined; true if that is not known. `own` is the pointer of a thread
 * that runs, and `own_is_main` whether
 * that is the main thread. */
bool probe_thread_stack_is_in_use(const struct thread_layout *layout, uintptr_t pointer,
                                  uintptr_t own, bool own_is_main);

/* Where the thread has the variables of a library that was opened later; `number` is
 * the library's in the thread's table. 0: it has not used them. */
uintptr_t probe_thread_late_locals(uintptr_t pointer, size_t number);

#endif
