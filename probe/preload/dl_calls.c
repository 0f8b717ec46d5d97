/*
 * Calls that may unload code: the recorder then forgets how stacks go through it, since
 * other code may be loaded at the same addresses. iconv_close unloads the C library's
 * own modules.
 */
#include <dlfcn.h>
#include <errno.h>
#include <iconv.h>

#include "probe/calls/real_function.h"
#include "probe/preload/agent.h"
#include "probe/recorder/call_stack.h"
#include "probe/recorder/inside.h"

PROBE_REAL(dlclose)
PROBE_REAL(iconv_close)

PROBE_EXPORT int dlclose(void *library)
{
    if (!probe_active) {
        return dlclose_real()(library);
    }
    probe_call_stack_unloading();
    int result = dlclose_real()(library);
    int saved = errno;
    probe_call_stack_unloaded();
    errno = saved;
    return result;
}

PROBE_EXPORT int iconv_close(iconv_t converter)
{
    if (!probe_active) {
        return iconv_close_real()(converter);
    }
    probe_call_stack_unloading();
    int result = iconv_close_real()(converter);
    int saved = errno;
    probe_call_stack_unloaded();
    errno = saved;
    return result;
}
