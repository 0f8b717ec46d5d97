#include "leakcheck/judge/wrappers.h"

#include "base/wrapper_names.h"

bool wrappers_have(const struct wrappers *wrappers, const char *function)
{
    if (!wrappers->skip) {
        return false;
    }
    for (size_t i = 0; i < wrappers->count; i++) {
        if (wrapper_name_fits(function, wrappers->names[i])) {
            return true;
        }
    }
    return wrapper_name_known(function);
}
