/*
 * Fills in the site that the probe's pages see: names, origins, hints, and a sleep that
 * ends when the server stops.
 */
#include "server/lab.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "scenario.h"
#include "server/hints.h"
#include "variant.h"

static int lab_sleep(void *owner, unsigned ms)
{
    struct lab *lab = owner;
    return context_sleep(&lab->running, ms);
}

static char host_name[256];

static void site_init(struct lab *lab)
{
    const struct options *options = lab->settings->options;
    gethostname(host_name, sizeof(host_name) - 1);
    lab->site = (struct site){
        .name = variant.name,
        .version = LAB_VERSION,
        .started_ms = clock_now_ms(),
        .bind = options->bind,
        .expose = options->expose,
        .host_name = host_name,
        .peer = options->peer,
        .dump_directory = options->directory,
        .hints =
            {
                .memory = HINT_RESTART_OR_RAISE("--max-heap"),
                .fds = HINT_RESTART_OR_RAISE("--max-fds"),
                .mappings = HINT_RESTART "; the mappings of its threads leave no room "
                                         "for stacks, see --max-threads",
                .no_profile =
                    "start the server with --profile exact or --profile recorder",
                .no_reach = "start the server with --profile recorder",
                .no_resources = "build without a sanitizer; libunwind.so.8 is needed, "
                                "too (package libunwind8)",
                .no_build = "build without ALLOCATOR=libc; without a sanitizer, too, "
                            "--profile recorder records it",
                .dump = "see --profile-dir",
                .cross_site = "open this server's own pages, or use curl; --peer URL "
                              "allows the pages of the lab's other server",
            },
        .sleep = lab_sleep,
        .owner = lab,
    };
}

struct lab *lab_of(const struct request *request)
{
    return request->site->owner;
}

int lab_init(struct lab *lab, const struct server_settings *settings)
{
    *lab = (struct lab){.settings = settings};
    lab->calls = calloc(scenario_count, sizeof(*lab->calls));
    if (lab->calls == NULL) {
        return -ENOMEM;
    }
    site_init(lab);
    context_init(&lab->running, NULL);
    return 0;
}

void lab_finish(struct lab *lab)
{
    context_finish(&lab->running);
    free(lab->calls);
}
