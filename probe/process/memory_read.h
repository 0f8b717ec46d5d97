/*
 * Memory of this process that may be gone: it is read through the kernel, which then
 * says so, and nothing crashes.
 */
#ifndef PROBE_PROCESS_MEMORY_READ_H
#define PROBE_PROCESS_MEMORY_READ_H

#include <stddef.h>
#include <stdint.h>

/* Copies the bytes. Returns 0; -EFAULT: some of them are not there; or another -errno:
 * the system lets nobody read this way, and whether they are there is not known. Keeps
 * errno. */
int probe_memory_read(uintptr_t address, void *ret_copy, size_t bytes);

#endif
