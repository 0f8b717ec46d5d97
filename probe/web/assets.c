#include "probe/web/assets.h"

#include <string.h>

#include "probe/http/form.h"

void probe_asset_reply(const struct asset *assets, size_t count,
                       const struct request *request, struct reply *reply)
{
    if (!probe_form_read_none(request, reply)) {
        return;
    }
    for (size_t i = 0; i < count; i++) {
        if (strcmp(assets[i].path, request->path) == 0) {
            probe_reply_static(reply, assets[i].type, assets[i].data, *assets[i].bytes);
            return;
        }
    }
    probe_reply_error(reply, 404, "unknown_route", "GET / names the files of the page",
                      "no file '%.200s'", request->path);
}
