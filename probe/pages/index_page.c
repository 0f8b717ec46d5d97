/*
 * The index of the profiles as an HTML page, for a person with a browser.
 */
#include "probe/http/form.h"
#include "probe/pages/pages.h"

static const char text[] =
    "<!doctype html>\n"
    "<html lang=\"en\">\n"
    "<meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
    "<meta name=\"color-scheme\" content=\"light dark\">\n"
    "<title>Profiles</title>\n"
    "<style>\n"
    "body { font: 1rem/1.5 system-ui, sans-serif; max-width: 46rem; margin: 0 auto;\n"
    "       padding: 1rem; }\n"
    "dt { margin-top: 1rem; font-weight: 600; }\n"
    "dd { margin-left: 0; }\n"
    "pre { overflow-x: auto; padding: .5rem; border: 1px solid; border-radius: 4px; }\n"
    "</style>\n"
    "<h1>Profiles of this process</h1>\n"
    "<p>Without <code>?debug=</code> each is profile.proto, with function, file and "
    "line\n"
    "in it: what <code>go tool pprof</code>, Pyroscope and speedscope read.</p>\n"
    "<dl>\n"
    "<dt><a href=\"/debug/pprof/heap?debug=1\">heap</a></dt>\n"
    "<dd>Who allocated the memory that is in use now, exactly, call stack by call "
    "stack.\n"
    "<code>?debug=1</code> shows it as text, <code>?seconds=N</code> what changed "
    "during\n"
    "N seconds (1 to 60), <code>?gc=1</code> gives free memory back first.</dd>\n"
    "<dt><a href=\"/debug/pprof/allocs?debug=1\">allocs</a></dt>\n"
    "<dd>The same profile, which shows first what was ever allocated: for a program "
    "that\n"
    "allocates fast and keeps nothing.</dd>\n"
    "<dt><a href=\"/debug/pprof/goroutine?debug=1\">goroutine</a>,\n"
    "<a href=\"/debug/pprof/threads?debug=1\">threads</a></dt>\n"
    "<dd>Where every thread is now, equal stacks counted together. Named as in Go, so\n"
    "that tools find it. <a "
    "href=\"/debug/pprof/threads?debug=2\"><code>?debug=2</code>\n"
    "</a> lists them one by one: name, state, and for how long they have waited.</dd>\n"
    "<dt><a href=\"/debug/pprof/cmdline\">cmdline</a></dt>\n"
    "<dd>The command line.</dd>\n"
    "<dt><a href=\"/debug/pprof/symbol\">symbol</a></dt>\n"
    "<dd>POST addresses such as <code>0x55d0c3a1+0x55d0c3b2</code> to learn their\n"
    "functions.</dd>\n"
    "<dt><a href=\"/pprof/heap\">/pprof/heap</a></dt>\n"
    "<dd>The heap profile in gperftools' own text, for "
    "<code>google-pprof</code>.</dd>\n"
    "</dl>\n"
    "<pre>go tool pprof -top http://HOST/debug/pprof/heap\n"
    "go tool pprof -top http://HOST/debug/pprof/goroutine\n"
    "google-pprof --text http://HOST/pprof/heap\n"
    "curl -X POST \"http://HOST/debug/heap/dump?reason=before\"</pre>\n"
    "</html>\n";

void probe_page_index(const struct request *request, struct reply *reply)
{
    if (probe_form_read_none(request, reply)) {
        probe_reply_static(reply, REPLY_HTML, text, sizeof(text) - 1);
    }
}
