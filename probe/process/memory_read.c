/*
 * process_vm_readv(2) is missing in some kernels, and some seccomp filters of
 * containers refuse it. Then /proc/thread-self/mem (proc(5)) has the same.
 */
#include "probe/process/memory_read.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

#include "probe/process/descriptors.h"

/* Of `got` bytes that were read, or none with errno. */
static int result_of(ssize_t got, size_t bytes)
{
    if (got == (ssize_t)bytes) {
        return 0;
    }
    return got > 0 ? -EFAULT : got == 0 ? -EIO : -errno;
}

static int file_read(uintptr_t address, void *ret_copy, size_t bytes)
{
    int fd = probe_proc_open("thread-self/mem", O_RDONLY);
    if (fd < 0) {
        return fd;
    }
    int error = result_of(pread(fd, ret_copy, bytes, (off_t)address), bytes);
    close(fd);
    return error == -EIO ? -EFAULT : error;
}

int probe_memory_read(uintptr_t address, void *ret_copy, size_t bytes)
{
    int saved = errno;
    struct iovec to = {.iov_base = ret_copy, .iov_len = bytes};
    struct iovec from = {.iov_base = (void *)address, .iov_len = bytes};
    /* By the number of this thread, because the main thread may have ended. */
    int error = result_of(process_vm_readv(gettid(), &to, 1, &from, 1, 0), bytes);
    if (error != 0 && error != -EFAULT) {
        error = file_read(address, ret_copy, bytes);
    }
    errno = saved;
    return error;
}
