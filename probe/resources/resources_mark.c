#include "probe/resources/resources_mark.h"

#include <stddef.h>
#include <sys/mman.h>
#include <unistd.h>

#include "probe/recorder/own_memory.h"

_Thread_local unsigned probe_in_vfork __attribute__((tls_model("initial-exec")));

/* A page that the kernel clears in every forked child; NULL if it cannot. */
static _Atomic unsigned char *wiped;
static const _Atomic unsigned char always = 1;
const _Atomic unsigned char *probe_resources_mark = &always;

void probe_resources_mark_make(void)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    wiped = probe_own_memory_take(page);
    if (wiped != NULL && madvise((void *)wiped, page, MADV_WIPEONFORK) == 0) {
        atomic_store(wiped, 1);
        probe_resources_mark = wiped;
    }
}

void probe_resources_mark_again(void)
{
    if (probe_resources_mark == wiped) {
        atomic_store(wiped, 1);
    }
}
