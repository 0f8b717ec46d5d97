/*
 * Profiles over HTTP: what debug/ measures, in the formats that the tools of the pprof
 * world read.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/buffer.h"
#include "probe/heap/heap.h"
#include "probe/heap/heap_profile.h"
#include "probe/symbols/symbol_protocol.h"
#include "probe/threads/thread_profile.h"
#include "probe/threads/threads.h"
#include "probe/threads/turn.h"
#include "server/reply.h"
#include "server/server_private.h"
#include "variant.h"

#define PROTO_TYPE "application/octet-stream"
#define TEXT_TYPE "text/plain; charset=utf-8"

/* The in-use bytes of a dump, from its first line: "heap profile: 3: 4096 [...".
 * Without fopen, which has no memory for its buffer when the heap is full. */
static double dumped_bytes(const char *path)
{
    char line[256] = "";
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return 0;
    }
    ssize_t got = read(fd, line, sizeof(line) - 1);
    close(fd);
    line[got < 0 ? 0 : got] = '\0';
    double bytes = 0;
    return sscanf(line, "heap profile: %*d: %lf", &bytes) == 1 ? bytes : 0;
}

/* Answers 501 if there is no heap profile. */
static bool refuse_without_profile(struct request *request)
{
    if (probe_heap_profiled()) {
        return false;
    }
    reply_error(request, 501, "profile_off",
                probe_heap_can_profile() ? "start the server with --profile exact"
                                         : "build without ALLOCATOR=libc",
                "this server records no heap profile");
    return true;
}

/* Says why there is no profile. */
static void refuse_failed(struct request *request, int error)
{
    const char *code = "heap_limit";
    const char *hint = REPLY_RESTART_OR_RAISE("--max-heap");
    if (error == -ECANCELED) {
        code = "stopping";
        hint = "the server is being stopped";
    } else if (error == -EMFILE || error == -ENFILE) {
        code = "fd_limit";
        hint = REPLY_RESTART_OR_RAISE("--max-fds");
    } else if (error == -ENOBUFS) {
        code = "thread_limit";
        hint = REPLY_RESTART
            "; the mappings of its threads leave no room for stacks, see --max-threads";
    }
    reply_error(request, 503, code, hint, "the profile could not be written: %s",
                strerror(-error));
}

/* Sends what was written to `buffer`, or says why it could not be, and releases it. */
static void reply_profile(struct request *request, const char *type, int error,
                          struct buffer *buffer)
{
    if (error == 0) {
        error = buffer->error;
    }
    if (error == 0) {
        reply_data(request, 200, type, "", buffer->data, buffer->length);
    } else {
        refuse_failed(request, error);
    }
    buffer_release(buffer);
}

enum { DEBUG, SECONDS, GC, HEAP_PARAMETERS };

/* One difference at a time: each holds a thread of the server for up to a minute. */
static atomic_flag difference_running = ATOMIC_FLAG_INIT;

/* A snapshot in memory that malloc knows nothing of. */
struct snapshot {
    char *text;
    size_t size;
};

static int snapshot_take(struct snapshot *snapshot)
{
    char *text = NULL;
    int error = probe_heap_snapshot(&text);
    if (error != 0) {
        return error;
    }
    snapshot->size = strlen(text) + 1;
    void *memory = mmap(NULL, snapshot->size, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        error = -errno;
    } else {
        snapshot->text = memcpy(memory, text, snapshot->size);
    }
    free(text);
    return error;
}

static void snapshot_release(struct snapshot *snapshot)
{
    if (snapshot->text != NULL) {
        munmap(snapshot->text, snapshot->size);
    }
}

/* Takes two snapshots `seconds` apart and writes what changed between them. The
 * profiler allocates for each snapshot, which must cancel out: so the first text is not
 * kept on the heap, and both are taken from the same line, by the same stack. */
static int write_difference(struct request *request, unsigned seconds,
                            enum heap_view view, struct buffer *buffer)
{
    struct snapshot snapshots[2] = {0};
    struct timespec start;
    clock_gettime(CLOCK_MONOTONIC, &start);
    int error = 0;
    for (int i = 0; i < 2 && error == 0; i++) {
        if (i == 1) {
            error = context_sleep(&request->server->running, seconds * 1000);
        }
        error = error != 0 ? error : snapshot_take(&snapshots[i]);
    }
    if (error == 0) {
        double elapsed_ns = server_milliseconds_since(&start) * 1e6;
        error = probe_heap_profile_difference(snapshots[0].text, snapshots[1].text,
                                              (int64_t)elapsed_ns, view, buffer);
    }
    snapshot_release(&snapshots[0]);
    snapshot_release(&snapshots[1]);
    return error;
}

static void reply_difference(struct request *request, unsigned seconds,
                             enum heap_view view)
{
    if (atomic_flag_test_and_set(&difference_running)) {
        reply_error(request, 409, "profile_busy", "ask again when the other has ended",
                    "another heap profile with seconds= is being taken");
        return;
    }
    struct buffer buffer = {0};
    int error = write_difference(request, seconds, view, &buffer);
    atomic_flag_clear(&difference_running);
    reply_profile(request, PROTO_TYPE, error, &buffer);
}

/* /debug/pprof/heap and /debug/pprof/allocs: Go's parameters. */
static void reply_heap(struct request *request, enum heap_view view)
{
    struct parameter parameters[HEAP_PARAMETERS] = {
        [DEBUG] = {.name = "debug", .type = PARAMETER_NUMBER, .maximum = 1},
        [SECONDS] = {.name = "seconds",
                     .type = PARAMETER_NUMBER,
                     .minimum = 1,
                     .maximum = 60},
        [GC] = {.name = "gc", .type = PARAMETER_NUMBER, .maximum = 1},
    };
    if (!request_parameters(request, parameters, HEAP_PARAMETERS) ||
        refuse_without_profile(request)) {
        return;
    }
    if (parameters[GC].number == 1) {
        probe_heap_release_free();
    }
    if (parameters[SECONDS].present) {
        if (parameters[DEBUG].number == 1) {
            reply_error(request, 400, "bad_parameter", "leave out debug=1",
                        "a difference over seconds has no text form");
            return;
        }
        reply_difference(request, (unsigned)parameters[SECONDS].number, view);
        return;
    }
    char *text = NULL;
    struct buffer buffer = {0};
    int error = probe_heap_snapshot(&text);
    const char *type = PROTO_TYPE;
    if (parameters[DEBUG].number == 1) {
        type = TEXT_TYPE;
        error = error != 0 ? error : probe_heap_profile_text(text, &buffer);
    } else {
        error = error != 0 ? error : probe_heap_profile_proto(text, view, &buffer);
    }
    free(text);
    reply_profile(request, type, error, &buffer);
}

void profiles_heap(struct request *request)
{
    reply_heap(request, HEAP_VIEW_INUSE);
}

void profiles_allocs(struct request *request)
{
    reply_heap(request, HEAP_VIEW_ALLOCS);
}

void profiles_heap_text(struct request *request)
{
    if (!request_parameters(request, NULL, 0) || refuse_without_profile(request)) {
        return;
    }
    char *text = NULL;
    struct buffer buffer = {0};
    int error = probe_heap_snapshot(&text);
    if (error == 0) {
        buffer_text(&buffer, text);
    }
    free(text);
    reply_profile(request, TEXT_TYPE, error, &buffer);
}

/* Of many who ask at once, none is to wait longer than the others. */
static struct turn threads_turn = TURN_INITIALIZER;

/* /debug/pprof/goroutine and /debug/pprof/threads; `type` names the values. */
static void reply_threads(struct request *request, const char *type)
{
    struct parameter debug = {.name = "debug", .type = PARAMETER_NUMBER, .maximum = 2};
    if (!request_parameters(request, &debug, 1)) {
        return;
    }
    struct threads threads;
    struct buffer buffer = {0};
    probe_turn_wait(&threads_turn);
    int error = probe_threads_read(debug.number == 2, &threads);
    probe_turn_pass(&threads_turn);
    if (error == 0) {
        switch (debug.number) {
        case 0:
            error = probe_thread_profile_proto(&threads, type, &buffer);
            break;
        case 1:
            error = probe_thread_profile_text(&threads, &buffer);
            break;
        default:
            error = probe_thread_profile_blocks(&threads, &buffer);
        }
        probe_threads_release(&threads);
    }
    reply_profile(request, debug.number == 0 ? PROTO_TYPE : TEXT_TYPE, error, &buffer);
}

void profiles_goroutine(struct request *request)
{
    reply_threads(request, "goroutine");
}

void profiles_threads(struct request *request)
{
    reply_threads(request, "threads");
}

void profiles_symbol(struct request *request)
{
    bool posted = request->method == METHOD_POST;
    const char *addresses = posted ? request->body : request->query;
    size_t bytes = posted ? request->body_bytes : strlen(request->query);
    struct buffer buffer = {0};
    int error = probe_symbol_answer(addresses == NULL ? "" : addresses, bytes, &buffer);
    reply_profile(request, TEXT_TYPE, error, &buffer);
}

void profiles_cmdline(struct request *request)
{
    struct buffer buffer = {0};
    if (request_parameters(request, NULL, 0)) {
        int error = probe_command_line_answer(&buffer);
        reply_profile(request, TEXT_TYPE, error, &buffer);
    }
}

/* The `reason` is only a remark of the client: it is checked, and not kept. */
void profiles_dump(struct request *request)
{
    struct parameter reason = {.name = "reason", .type = PARAMETER_TEXT};
    if (!request_parameters(request, &reason, 1) || refuse_without_profile(request)) {
        return;
    }
    char path[1100];
    int error = probe_heap_dump(request->server->settings->options->directory,
                                variant.name, path, sizeof(path));
    if (error == -ENOMEM || error == -ENOBUFS) {
        refuse_failed(request, error);
        return;
    }
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
