/*
 * A program that runs the probe's listener, with the probe's pages and a few of its
 * own. It prints its port, and ends when its standard input does.
 *
 *   listening [--unix PATH] [--port N] [--from FD]
 */
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "probe/heap/heap.h"
#include "probe/http/form.h"
#include "probe/listener/listener.h"
#include "probe/pages/pages.h"
#include "probe/symbols/symbols.h"
#include "probe/threads/threads.h"

static struct listener *listener;

static struct site site = {
    .name = "listening",
    .version = LAB_VERSION,
    .bind = "127.0.0.1",
    .host_name = "",
    .dump_directory = ".",
    .hints =
        {
            .memory = "restart the program",
            .fds = "close some",
            .mappings = "end some threads",
            .no_profile = "see --heap",
            .no_build = "build without ALLOCATOR=libc",
            .dump = "see --profile-dir",
            .cross_site = "open this server's own pages, or use curl",
        },
};

/* /test/sleep?ms=N replies how long it has slept, and whether that was cut short. */
static void page_sleep(const struct request *request, struct reply *reply)
{
    struct parameter ms = {.name = "ms", .type = PARAMETER_NUMBER, .maximum = 60000};
    if (!probe_form_read(request, &ms, 1, reply)) {
        return;
    }
    struct buffer text = {0};
    int error = request->site->sleep(request->site->owner, (unsigned)ms.number);
    buffer_text(&text, error == 0 ? "slept\n" : strerror(-error));
    probe_reply_buffer(reply, REPLY_TEXT, &text);
}

/* /test/echo replies with the body; /test/large?bytes=N with so many bytes. */
static void page_echo(const struct request *request, struct reply *reply)
{
    struct buffer text = {0};
    buffer_append(&text, request->body == NULL ? "" : request->body,
                  request->body_bytes);
    probe_reply_buffer(reply, REPLY_BYTES, &text);
}

static void page_large(const struct request *request, struct reply *reply)
{
    struct parameter bytes = {
        .name = "bytes", .type = PARAMETER_SIZE, .maximum = 256 << 20};
    if (!probe_form_read(request, &bytes, 1, reply)) {
        return;
    }
    struct buffer text = {0};
    char *room = buffer_reserve(&text, bytes.number);
    if (room != NULL) {
        memset(room, 'x', bytes.number);
        buffer_extend(&text, bytes.number);
    }
    probe_reply_buffer(reply, REPLY_BYTES, &text);
}

/* /test/fill opens descriptors until none is left. */
static void page_fill(const struct request *request, struct reply *reply)
{
    if (probe_form_read_none(request, reply)) {
        while (dup(STDIN_FILENO) >= 0) {
        }
        probe_reply_static(reply, REPLY_TEXT, "filled\n", 7);
    }
}

/* /test/close?fd=N closes any descriptor, as a careless program does. */
static void page_close(const struct request *request, struct reply *reply)
{
    struct parameter fd = {.name = "fd", .type = PARAMETER_NUMBER, .maximum = 1 << 20};
    if (probe_form_read(request, &fd, 1, reply)) {
        close((int)fd.number);
        probe_reply_static(reply, REPLY_TEXT, "closed\n", 7);
    }
}

static const struct route *find(const char *path)
{
    static const struct route routes[] = {
        {"/test/sleep", ROUTE_READS, false, page_sleep},
        {"/test/echo", ROUTE_READS | METHOD_POST, false, page_echo},
        {"/test/large", ROUTE_READS, false, page_large},
        {"/test/fill", METHOD_POST, true, page_fill},
        {"/test/close", METHOD_POST, true, page_close},
    };
    const struct route *route =
        probe_route_find(routes, sizeof(routes) / sizeof(routes[0]), path);
    return route != NULL ? route : probe_pages_find(path);
}

static void *serve(void *argument)
{
    (void)argument;
    int error = probe_listener_run(listener, NULL);
    return error == 0 ? NULL : (void *)"lost";
}

static void fail(const char *what, int error)
{
    fprintf(stderr, "listening: %s: %s\n", what, strerror(-error));
    exit(1);
}

/* Each byte of the input stops the listener, and lets a new thread go on. An 'x' first
 * closes all of its descriptors, while it waits. */
static void serve_until_the_end(int fd_from)
{
    char byte;
    bool goes_on = true;
    while (goes_on) {
        pthread_t thread;
        void *result;
        int error = pthread_create(&thread, NULL, serve, NULL);
        if (error != 0) {
            fail("no thread", -error);
        }
        goes_on = read(STDIN_FILENO, &byte, 1) == 1;
        if (goes_on && byte == 'x') {
            close_range((unsigned)fd_from, UINT_MAX, 0);
        }
        probe_listener_stop(listener);
        pthread_join(thread, &result);
        if (result != NULL) {
            fail("the door is lost", -EIO);
        }
        puts("stopped");
    }
}

int main(int count, char **arguments)
{
    struct listener_settings settings = {.site = &site,
                                         .ports = 10,
                                         .fd_from = 500,
                                         .find = find,
                                         .nearest = probe_pages_nearest};
    for (int i = 1; i + 1 < count; i += 2) {
        if (strcmp(arguments[i], "--unix") == 0) {
            settings.path = arguments[i + 1];
        } else if (strcmp(arguments[i], "--port") == 0) {
            settings.port = atoi(arguments[i + 1]);
        } else if (strcmp(arguments[i], "--from") == 0) {
            settings.fd_from = atoi(arguments[i + 1]);
        }
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    site.started_ms = clock_now_ms();
    probe_symbols_load();
    int error = probe_threads_start();
    if (error == 0) {
        error = probe_heap_start(HEAP_PROFILE_OFF, 0);
    }
    if (error == 0) {
        error = probe_listener_open(&listener, &settings);
    }
    if (error != 0) {
        fail("cannot listen", error);
    }
    printf("%d\n", probe_listener_port(listener));
    serve_until_the_end(settings.fd_from);
    probe_listener_close(listener, false);
    return 0;
}
