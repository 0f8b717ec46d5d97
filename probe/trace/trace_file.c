/*
 * One event a line. Names are looked up here, after the rounds: a span keeps addresses.
 */
#include "probe/trace/trace_file.h"

#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "probe/http/json_string.h"
#include "probe/symbols/symbols.h"
#include "probe/trace/system_calls.h"
#include "probe/trace/trace_rate.h"

struct writer {
    const struct trace *trace;
    struct buffer *text;
    int pid;
    bool first; /* no event has been written yet */
};

/* ---- Parts of events ---- */

/* Begins an event: phase, thread and time. The caller adds what else it has, and closes
 * the brace. */
static void event_begin(struct writer *writer, char phase, pid_t tid, int64_t at_us)
{
    buffer_printf(writer->text, "%s{\"ph\":\"%c\",\"pid\":%d,\"tid\":%d,\"ts\":%lld",
                  writer->first ? "" : ",\n", phase, writer->pid, (int)tid,
                  (long long)at_us);
    writer->first = false;
}

/* Appends a function's name, as a part of a JSON string. */
static void function_append(struct buffer *text, uintptr_t function)
{
    struct symbol symbol;
    probe_symbols_find(function, &symbol);
    probe_json_string_part(text, symbol.function, strlen(symbol.function));
}

/* Appends `"at":"file:line"` if the place is known. Returns whether it is. */
static bool place_append(struct buffer *text, uintptr_t address)
{
    struct symbol symbol;
    if (!probe_symbols_find(address, &symbol) || symbol.line == 0) {
        return false;
    }
    const char *file = symbol.file_in_tree != NULL ? symbol.file_in_tree : symbol.file;
    buffer_text(text, "\"at\":\"");
    probe_json_string_part(text, file, strlen(file));
    buffer_printf(text, ":%u\"", symbol.line);
    return true;
}

/* ---- The process and its threads ---- */

static void process_write(struct writer *writer, const char *program)
{
    event_begin(writer, 'M', writer->pid, 0);
    buffer_text(writer->text, ",\"name\":\"process_name\",\"args\":{\"name\":\"");
    probe_json_string_part(writer->text, program, strlen(program));
    buffer_text(writer->text, "\"}}");
    event_begin(writer, 'M', writer->pid, 0);
    buffer_printf(writer->text,
                  ",\"name\":\"process_labels\",\"args\":{\"labels\":"
                  "\"sampled: %u rounds in %.1f s\"}}",
                  writer->trace->rounds, (double)writer->trace->ended_us / 1e6);
}

/* A thread's name: the one that it gave itself, and the function that it began in. */
static void thread_name_write(struct writer *writer, const struct trace_thread *thread)
{
    struct buffer *text = writer->text;
    event_begin(writer, 'M', thread->tid, 0);
    buffer_text(text, ",\"name\":\"thread_name\",\"args\":{\"name\":\"");
    probe_json_string_part(text, thread->name, strnlen(thread->name, 16));
    if (thread->start != 0) {
        buffer_text(text, " (");
        function_append(text, thread->start);
        buffer_text(text, ")");
    }
    if (thread->tid == writer->trace->own_tid) {
        buffer_text(text, ", takes this trace");
    }
    buffer_text(text, "\"}}");
}

/* A thread's life, from its beginning or the trace's, to its end or the trace's. */
static void life_write(struct writer *writer, const struct trace_thread *thread)
{
    struct buffer *text = writer->text;
    int64_t end_us = thread->end_us >= 0 ? thread->end_us : writer->trace->ended_us;
    event_begin(writer, 'X', thread->tid, thread->begin_us);
    buffer_printf(text, ",\"dur\":%lld,\"cat\":\"life\",\"name\":\"",
                  (long long)(end_us - thread->begin_us));
    if (thread->start != 0) {
        function_append(text, thread->start);
    } else {
        buffer_text(text, "thread");
    }
    buffer_printf(text, "\",\"args\":{\"began_before_trace_ms\":%lld,\"ended\":%s}}",
                  (long long)(thread->born_us < 0 ? -thread->born_us / 1000 : 0),
                  thread->end_us >= 0 ? "true" : "false");
}

/* ---- Spans ---- */

/* Appends what a thread does, as a part of a JSON string. */
static void doing_append(struct buffer *text, const struct trace_span *span)
{
    static const char *const words[] = {
        [TRACE_CALLS] = "",           [TRACE_RUNS] = "runs in ",
        [TRACE_WAITS] = "waits in ",  [TRACE_STOPPED] = "stopped in ",
        [TRACE_SILENT] = "no answer", [TRACE_UNKNOWN] = "runs or waits in ",
    };
    buffer_text(text, words[span->doing]);
    if (span->function != 0) {
        function_append(text, span->function);
    }
    if (span->doing == TRACE_WAITS && span->call >= 0) {
        const char *word = probe_system_call_word(span->call);
        if (word != NULL) {
            buffer_printf(text, " (%s)", word);
        } else {
            buffer_printf(text, " (system call %ld)", span->call);
        }
    }
}

static const char *category_of(enum trace_doing doing)
{
    switch (doing) {
    case TRACE_CALLS:
        return "function";
    case TRACE_RUNS:
        return "run";
    case TRACE_WAITS:
        return "wait";
    default:
        return "other";
    }
}

static void span_write(struct writer *writer, const struct trace_span *span)
{
    struct buffer *text = writer->text;
    const struct trace_thread *thread =
        probe_recording_thread(&writer->trace->recording, span->thread);
    event_begin(writer, 'X', thread->tid, span->begin_us);
    buffer_printf(text, ",\"dur\":%lld,\"cat\":\"%s\",\"name\":\"",
                  (long long)(span->end_us - span->begin_us), category_of(span->doing));
    doing_append(text, span);
    buffer_text(text, "\",\"args\":{");
    bool placed = !span->moved && place_append(text, span->address);
    if (span->callee != 0) {
        buffer_text(text, placed ? "," : "");
        buffer_text(text, "\"calls\":\"");
        function_append(text, span->callee);
        buffer_text(text, "\"");
    }
    buffer_text(text, "}}");
}

/* ---- Figures ---- */

static void counter_write(struct writer *writer, int64_t at_us, const char *name,
                          const char *unit, uint64_t value)
{
    event_begin(writer, 'C', writer->pid, at_us);
    buffer_printf(writer->text, ",\"name\":\"%s\",\"args\":{\"%s\":%llu}}", name, unit,
                  (unsigned long long)value);
}

static void sample_write(struct writer *writer, const struct trace_sample *sample)
{
    const struct heap_figures *heap = &sample->figures.heap;
    const struct process_figures *process = &sample->figures.process;
    if (heap->known) {
        counter_write(writer, sample->at_us, "heap in use", "bytes",
                      heap->in_use_bytes);
    }
    counter_write(writer, sample->at_us, "resident set", "bytes", process->rss_bytes);
    counter_write(writer, sample->at_us, "descriptors", "open", process->fds);
    counter_write(writer, sample->at_us, "threads", "alive", process->threads);
}

/* ---- How it was taken ---- */

static double thread_cpu_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

/* Rounds at the full rate that this time would have had. */
static unsigned rounds_possible(const struct trace *trace)
{
    return (unsigned)(trace->ended_us * TRACE_RATE_HZ / 1000000) + 1;
}

static void account_write(struct writer *writer, double writing_since_ms)
{
    const struct trace *trace = writer->trace;
    struct buffer *text = writer->text;
    double seconds = (double)trace->ended_us / 1e6;
    unsigned possible = rounds_possible(trace);
    char began[32];
    struct tm calendar;
    time_t wall = (time_t)trace->wall_s;
    strftime(began, sizeof(began), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&wall, &calendar));
    buffer_printf(text, "\"began\":\"%s\",\n\"seconds_asked\":%u,\n\"seconds\":%.6f,\n",
                  began, trace->seconds, seconds);
    buffer_printf(text, "\"rate_hz\":%.2f,\n\"rate_hz_most\":%d,\n",
                  seconds > 0 ? (trace->rounds - 1) / seconds : 0.0, TRACE_RATE_HZ);
    buffer_printf(text, "\"rounds_taken\":%u,\n\"rounds_missed\":%u,\n", trace->rounds,
                  possible > trace->rounds ? possible - trace->rounds : 0);
    buffer_printf(text, "\"rounds_failed\":%u,\n\"figures_missed\":%u,\n",
                  trace->failed, trace->figures_missed);
    buffer_printf(text, "\"rounds_cpu_ms\":%.1f,\n",
                  (double)trace->cpu_ns / (double)CLOCK_NS_PER_MS);
    buffer_printf(text, "\"signals_sent\":%llu,\n\"signals_cpu_ms_estimated\":%.1f,\n",
                  (unsigned long long)trace->signals,
                  (double)trace->signals * TRACE_SIGNAL_NS / (double)CLOCK_NS_PER_MS);
    buffer_printf(text, "\"writing_cpu_ms\":%.1f,\n",
                  thread_cpu_ms() - writing_since_ms);
    buffer_printf(text, "\"threads\":%zu,\n\"threads_silent\":%zu,\n",
                  trace->recording.thread_count, trace->silent);
    buffer_printf(text, "\"threads_cut\":%zu,\n\"ended_early\":%s,\n", trace->cut,
                  trace->recording.full ? "\"the recording is full\"" : "false");
    buffer_text(
        text, "\"reading\":\"Sampled. A span begins at the first round that saw it, "
              "and ends at the first that saw something else. A thread's beginning is "
              "exact to 10 ms; its end is that of the first round without it. What "
              "begins and ends between two rounds is not here.\"\n");
}

int probe_trace_file_write(const struct trace *trace, const char *program,
                           struct buffer *ret_text)
{
    const struct trace_recording *recording = &trace->recording;
    struct writer writer = {
        .trace = trace, .text = ret_text, .pid = getpid(), .first = true};
    double since_ms = thread_cpu_ms();
    buffer_text(ret_text, "{\"displayTimeUnit\":\"ms\",\"traceEvents\":[\n");
    process_write(&writer, program);
    for (size_t i = 0; i < recording->thread_count; i++) {
        thread_name_write(&writer, probe_recording_thread(recording, i));
    }
    /* A span is written after the one that it is in. */
    for (size_t i = 0; i < recording->thread_count; i++) {
        life_write(&writer, probe_recording_thread(recording, i));
    }
    for (size_t i = 0; i < recording->span_count; i++) {
        span_write(&writer, probe_recording_span(recording, i));
    }
    for (size_t i = 0; i < trace->sample_count; i++) {
        sample_write(&writer,
                     (const struct trace_sample *)(const void *)trace->samples.data +
                         i);
    }
    buffer_text(ret_text, "\n],\n\"otherData\":{\n");
    account_write(&writer, since_ms);
    buffer_text(ret_text, "}}\n");
    return ret_text->error;
}
