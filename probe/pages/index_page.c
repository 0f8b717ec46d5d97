/*
 * The index of the profiles: an HTML page for a person, JSON for a program. To add a
 * profile, add an entry to the list.
 */
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "probe/heap/heap.h"
#include "probe/http/form.h"
#include "probe/http/json_writer.h"
#include "probe/locks/lock_view.h"
#include "probe/pages/pages.h"
#include "probe/recorder/recorder.h"
#include "probe/resources/resources.h"
#include "probe/symbols/symbols_missing.h"
#include "probe/web/live.h"

#define VALUES_MAX 4

struct entry {
    const char *name; /* /debug/pprof/NAME */
    const char *title;
    const char *text;               /* HTML */
    const char *values[VALUES_MAX]; /* the sample types of its profile.proto */
    enum need {
        NEEDS_NOTHING,
        NEEDS_HEAP,
        NEEDS_RECORDER,
        NEEDS_RESOURCES,
        NEEDS_LOCKS
    } need;
};

static const struct entry entries[] = {
    {
        .name = "heap",
        .title = "Memory in use",
        .text = "Who allocated the memory that is in use now, call stack by call "
                "stack. <code>?debug=1</code> shows it as text, "
                "<code>?seconds=N</code> what changed during N seconds (1 to 60), "
                "<code>?gc=1</code> gives free memory back first.",
        .values = {"alloc_objects", "alloc_space", "inuse_objects", "inuse_space"},
        .need = NEEDS_HEAP,
    },
    {
        .name = "allocs",
        .title = "All that was ever allocated",
        .text = "The same profile, which first shows what was ever allocated: for a "
                "program that allocates fast and keeps nothing.",
        .values = {"alloc_objects", "alloc_space", "inuse_objects", "inuse_space"},
        .need = NEEDS_HEAP,
    },
    {
        .name = "lost",
        .title = "Lost memory",
        .text = "The blocks that nothing in the process points to any more: nobody can "
                "free them. By the call stack that allocated them; "
                "<code>direct_*</code> counts those to which no other lost block "
                "leads. <code>?debug=1</code> shows one block of each stack, "
                "<code>?seconds=N</code> what was lost during N seconds. All threads "
                "stop for some milliseconds.",
        .values = {"lost_objects", "lost_space", "direct_objects", "direct_space"},
        .need = NEEDS_RECORDER,
    },
    {
        .name = "retained",
        .title = "Held by",
        .text = "The memory in use by who holds it: where it was allocated, through "
                "which blocks it is reached, and from which global variable, thread, "
                "library or mapping. <code>?debug=1</code> lists the largest holder "
                "first, <code>?seconds=N</code> what each one gained during N "
                "seconds, <code>?lost=1</code> adds what is lost. All threads stop "
                "for some milliseconds.",
        .values = {"inuse_objects", "inuse_space"},
        .need = NEEDS_RECORDER,
    },
    {
        .name = "goroutine",
        .title = "Threads",
        .text = "Where every thread is now, equal stacks counted together. Named as in "
                "Go, so that tools find it; <code>threads</code> is the same. "
                "<a href=\"/debug/pprof/threads?debug=2\"><code>?debug=2</code></a> "
                "lists them one by one: name, state, and for how long they have "
                "waited.",
        .values = {"goroutine"},
    },
    {
        .name = "goroutineleak",
        .title = "Threads that never go on",
        .text = "The threads that provably never go on: they wait "
                "for each other's locks, for one whose owner has ended, or for one "
                "that such a thread has. Named as in Go. "
                "<a href=\"/debug/locks\">locks</a> says who waits for which one.",
        .values = {"goroutineleak"},
        .need = NEEDS_LOCKS,
    },
    {
        .name = "fds",
        .title = "Open descriptors",
        .text = "Who opened the files, sockets and other descriptors that are open "
                "now; what was not seen is listed as made unseen. "
                "<code>?debug=1</code> says what each is open on and how old it is, "
                "<code>?older=SECONDS</code> leaves out the younger ones, "
                "<code>?seconds=N</code> shows what changed during N seconds (1 to "
                "60). The next four take the same.",
        .values = {"fds"},
        .need = NEEDS_RESOURCES,
    },
    {
        .name = "threadcreate",
        .title = "Started threads",
        .text = "Who started the threads: those that live, and those that have ended "
                "and were never joined, whose stacks stay mapped.",
        .values = {"threads", "ended"},
        .need = NEEDS_RESOURCES,
    },
    {
        .name = "timers",
        .title = "Timers",
        .text = "Who made the POSIX timers that were not deleted.",
        .values = {"timers"},
        .need = NEEDS_RESOURCES,
    },
    {
        .name = "mmaps",
        .title = "Mappings",
        .text = "Who mapped the address space, in mappings and in bytes. A mapping "
                "that was made in parts counts for whoever made the largest one.",
        .values = {"mappings", "space"},
        .need = NEEDS_RESOURCES,
    },
    {
        .name = "children",
        .title = "Children",
        .text = "Who started the child processes: those that live, and those that "
                "have ended and were not waited for.",
        .values = {"children", "ended"},
        .need = NEEDS_RESOURCES,
    },
};

#define ENTRY_COUNT (sizeof(entries) / sizeof(entries[0]))

static const char page_begin[] =
    "<!doctype html>\n"
    "<html lang=\"en\">\n"
    "<meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
    "<meta name=\"color-scheme\" content=\"light dark\">\n"
    "<link rel=\"icon\" href=\"/page/icon.svg\">\n"
    "<link rel=\"stylesheet\" href=\"/page/index.css\">\n";

static const char page_about[] =
    "<p><a href=\"/\">The live page</a> draws them. <a href=\"/status\">/status</a> "
    "has the sums, and <a href=\"/metrics\">/metrics</a> has them for Prometheus.</p>\n"
    "<p>Without <code>?debug=</code> each is profile.proto, with function, file and "
    "line in it: what <code>go tool pprof</code>, Pyroscope and speedscope read.</p>\n";

static const char page_end[] =
    "<dt><a href=\"/debug/locks\">locks</a></dt>\n"
    "<dd>Who waits for which lock, since when, and who has it; DEADLOCK and NEVER "
    "RELEASED where that is proved. <code>?format=json</code> is for programs.</dd>\n"
    "<dt><a href=\"/debug/pprof/trace?seconds=5\">trace</a></dt>\n"
    "<dd>The timeline: what every thread did during N seconds "
    "(<code>?seconds=N</code>, 1 to 60), as a file for <code>ui.perfetto.dev</code> or "
    "<code>chrome://tracing</code>.</dd>\n"
    "<dt><a href=\"/debug/pprof/cmdline\">cmdline</a></dt>\n"
    "<dd>The command line.</dd>\n"
    "<dt><a href=\"/debug/pprof/symbol\">symbol</a></dt>\n"
    "<dd>POST addresses such as <code>0x55d0c3a1+0x55d0c3b2</code> to learn their "
    "functions.</dd>\n"
    "<dt><a href=\"/pprof/heap\">/pprof/heap</a></dt>\n"
    "<dd>The heap profile in gperftools' text format, for "
    "<code>google-pprof</code>.</dd>\n"
    "</dl>\n"
    "<pre>go tool pprof -top http://HOST/debug/pprof/heap\n"
    "go tool pprof -top -cum http://HOST/debug/pprof/retained\n"
    "go tool pprof -top http://HOST/debug/pprof/goroutine\n"
    "go tool pprof -top http://HOST/debug/pprof/fds\n"
    "curl http://HOST/debug/locks\n"
    "google-pprof --text http://HOST/pprof/heap\n";

/* Says whose page this is: a person may have those of a whole family open. */
static void head_add(struct buffer *text, const char *name)
{
    buffer_text(text, page_begin);
    buffer_text(text, "<title>");
    buffer_html(text, name);
    buffer_printf(text, ", pid %d: profiles</title>\n<h1>Profiles of ", (int)getpid());
    buffer_html(text, name);
    buffer_printf(text, ", pid %d</h1>\n", (int)getpid());
    buffer_text(text, page_about);
}

/* Says what the heap profiles count, and what that costs. */
static void heap_describe(struct buffer *text)
{
    struct recorder_figures figures;
    switch (probe_recorder_mode()) {
    case RECORDER_OFF:
        buffer_text(text, probe_heap_profiled()
                              ? "<p>gperftools records the heap: every allocation is "
                                "counted.</p>\n"
                              : "<p>Nothing records the heap of this process.</p>\n");
        return;
    case RECORDER_EXACT:
        buffer_text(text, "<p>The probe's recorder counts every allocation.");
        break;
    case RECORDER_SAMPLED:
        buffer_printf(text,
                      "<p>The probe's recorder takes one sample in every %zu bytes "
                      "that are allocated, on average: all figures of the heap are "
                      "estimates.",
                      probe_recorder_period());
        break;
    }
    probe_recorder_read_figures(&figures);
    buffer_printf(text,
                  " The recorder itself has taken %llu bytes, which are in no heap "
                  "profile.",
                  (unsigned long long)figures.own_bytes);
    if (figures.lost > 0) {
        buffer_printf(text,
                      " %llu blocks were not noted, or not seen to go: memory was "
                      "short, or the recorder was busy.",
                      (unsigned long long)figures.lost);
    }
    buffer_text(text, "</p>\n");
}

static bool is_there(const struct entry *entry)
{
    switch (entry->need) {
    case NEEDS_HEAP:
        return probe_heap_profiled();
    case NEEDS_RECORDER:
        return probe_recorder_mode() == RECORDER_EXACT;
    case NEEDS_RESOURCES:
        return probe_resources_on;
    case NEEDS_LOCKS:
        return probe_lock_view_missing() == NULL;
    default:
        return true;
    }
}

static void reply_json(struct reply *reply)
{
    struct buffer text = {0};
    struct json_writer json;
    probe_json_begin_array(&json, &text);
    for (size_t i = 0; i < ENTRY_COUNT; i++) {
        probe_json_item_open(&json);
        probe_json_text(&json, "name", entries[i].name);
        probe_json_text(&json, "title", entries[i].title);
        probe_json_number(&json, "status", is_there(&entries[i]) ? 200 : 501);
        probe_json_open_array(&json, "values");
        for (size_t j = 0; j < VALUES_MAX && entries[i].values[j] != NULL; j++) {
            probe_json_item_text(&json, entries[i].values[j]);
        }
        probe_json_close_array(&json);
        probe_json_close(&json);
    }
    probe_json_end_array(&json);
    probe_reply_buffer(reply, REPLY_JSON, &text);
}

static void (*extension)(struct buffer *text);

void probe_page_index_extend(void (*add)(struct buffer *text))
{
    extension = add;
}

static void reply_html(struct reply *reply)
{
    struct buffer text = {0};
    head_add(&text, reply->request->site->name);
    heap_describe(&text);
    buffer_text(&text, "<dl>\n");
    for (size_t i = 0; i < ENTRY_COUNT; i++) {
        buffer_printf(
            &text,
            "<dt><a href=\"/debug/pprof/%s?debug=1\">%s</a></dt>\n"
            "<dd>%s%s</dd>\n",
            entries[i].name, entries[i].name, entries[i].text,
            is_there(&entries[i])
                ? ""
                : " This process does not have this profile: its page says why.");
    }
    buffer_text(&text, page_end);
    if (reply->request->site->dump_directory != NULL) {
        buffer_text(&text,
                    "curl -X POST \"http://HOST/debug/heap/dump?reason=before\"\n");
    }
    buffer_text(&text, "</pre>\n");
    if (extension != NULL) {
        extension(&text);
    }
    probe_symbols_missing_add(&text);
    buffer_text(&text, "</html>\n");
    probe_reply_buffer(reply, REPLY_HTML, &text);
    probe_page_protect(reply);
}

void probe_page_index(const struct request *request, struct reply *reply)
{
    struct parameter format = {.name = "format", .type = PARAMETER_TEXT};
    if (!probe_form_read(request, &format, 1, reply)) {
        return;
    }
    if (format.present && strcmp(format.text, "json") != 0) {
        probe_reply_error(reply, 400, "bad_parameter",
                          "format=json, or nothing for HTML", "no format '%s'",
                          format.text);
        return;
    }
    if (format.present) {
        reply_json(reply);
    } else {
        reply_html(reply);
    }
}
