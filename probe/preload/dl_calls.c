/*
 * Calls that may unload code: the recorder then forgets how stacks go through it, since
 * other code may be loaded at the same addresses. iconv_close unloads the C library's
 * own modules. And the pipe that libunwind opens for itself, for which it calls us: it
 * gets numbers out of the program's way, and is protected (descriptors.h).
 */
#include <dlfcn.h>
#include <errno.h>
#include <iconv.h>
#include <unistd.h>

#include "probe/preload/export.h"
#include "probe/process/descriptors.h"
#include "probe/recorder/call_stack.h"
#include "probe/recorder/inside.h"

EXPORT int dlclose(void *library)
{
    __typeof__(&dlclose) next = NEXT(dlclose);
    if (!probe_active) {
        return next(library);
    }
    probe_call_stack_unloading();
    int result = next(library);
    int saved = errno;
    probe_call_stack_unloaded();
    errno = saved;
    return result;
}

EXPORT int iconv_close(iconv_t converter)
{
    __typeof__(&iconv_close) next = NEXT(iconv_close);
    if (!probe_active) {
        return next(converter);
    }
    probe_call_stack_unloading();
    int result = next(converter);
    int saved = errno;
    probe_call_stack_unloaded();
    errno = saved;
    return result;
}

EXPORT int pipe2(int ends[2], int flags)
{
    __typeof__(&pipe2) next = NEXT(pipe2);
    int result = next(ends, flags);
    if (result == 0 && probe_inside != 0) {
        for (int i = 0; i < 2; i++) {
            int kept = probe_descriptor_keep(ends[i]);
            ends[i] = kept;
            if (kept < 0) {
                errno = -kept;
                result = -1;
            }
        }
    }
    return result;
}
