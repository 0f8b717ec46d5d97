/*
 * Profiles over HTTP: what debug/ measures, in the formats that the tools of the pprof
 * world read.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "debug/heap.h"
#include "server/reply.h"
#include "server/server_private.h"

/* The in-use bytes of a dump, from its first line: "heap profile: 3: 4096 [...". */
static double dumped_bytes(const char *path)
{
    unsigned long objects;
    double bytes = 0;
    FILE *file = fopen(path, "re");
    if (file != NULL) {
        if (fscanf(file, "heap profile: %lu: %lf", &objects, &bytes) != 2) {
            bytes = 0;
        }
        fclose(file);
    }
    return bytes;
}

/* Answers 501 if there is no heap profile. */
static bool refuse_without_profile(struct request *request)
{
    if (heap_profiled()) {
        return false;
    }
    reply_error(request, 501, "profile_off",
                heap_can_profile() ? "start the server with --profile exact"
                                   : "build without ALLOCATOR=libc",
                "this server records no heap profile");
    return true;
}

void profiles_dump(struct request *request)
{
    struct parameter reason = {.name = "reason", .type = PARAMETER_TEXT};
    if (!request_parameters(request, &reason, 1) || refuse_without_profile(request)) {
        return;
    }
    char path[1100];
    int error =
        heap_dump(reason.present ? reason.text : "requested", path, sizeof path);
    if (error != 0) {
        reply_error(request, 500, "dump_failed", "see --profile-dir",
                    "the dump could not be written: %s", strerror(-error));
        return;
    }
    cJSON *json = cJSON_CreateObject();
    cJSON_AddStringToObject(json, "path", path);
    cJSON_AddNumberToObject(json, "in_use_bytes", dumped_bytes(path));
    reply_json(request, 200, json);
}
