#include "probe/resources/descriptor_alarm.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "probe/recorder/stack_records.h"
#include "probe/resources/descriptor_limit.h"
#include "probe/resources/descriptor_view.h"
#include "probe/resources/resource_list.h"
#include "probe/symbols/symbols.h"

enum phase {
    ASKED,
    SETTLING,
    RESTING, /* the high number was no sign of many */
    SAID     /* and there are not fewer yet */
};

#define REST_NS CLOCK_NS_PER_SECOND
/* For each descriptor, on top of that: to count them takes a tenth of a microsecond. */
#define REST_EACH_NS (50 * INT64_C(1000))

static struct {
    void (*say)(const char *line);
    int64_t settle_ns;
    atomic_flag busy; /* a thread is at the rest */
    enum phase phase;
    _Atomic int64_t next_ns; /* when the phase is over; 0: at once */
} alarm_state = {.busy = ATOMIC_FLAG_INIT};

/* How many descriptors there are below the limit, which is one of their numbers: the
 * probe's own may be beyond one that the program has set. Returns 0 or -errno. */
static int count(uint64_t *ret_count, uint64_t *ret_limit)
{
    struct buffer numbers = {0};
    struct rlimit limit = {0};
    int directory;
    int error = getrlimit(RLIMIT_NOFILE, &limit) == 0 ? 0 : -errno;
    error = error != 0 ? error : probe_fd_numbers(&numbers, &directory);
    if (error == 0) {
        close(directory);
        *ret_count = 0;
        *ret_limit = limit.rlim_cur;
        for (size_t i = 0; i < numbers.length / sizeof(int); i++) {
            *ret_count +=
                (rlim_t)((const int *)(void *)numbers.data)[i] < limit.rlim_cur;
        }
    }
    buffer_release(&numbers);
    return error;
}

/* The innermost frame whose source is known; a header of the system is not the
 * program's, unless there is no other. The innermost of all if none is known. */
static uintptr_t own_frame(const struct stack_record *record)
{
    static const char headers[] = "/usr/include/";
    uintptr_t in_header = 0;
    struct symbol symbol;
    for (uint32_t i = 0; i < record->depth; i++) {
        probe_symbols_find(record->frames[i], &symbol);
        if (symbol.file_in_tree == NULL) {
            continue;
        }
        if (strncmp(symbol.file_in_tree, headers, sizeof(headers) - 1) != 0) {
            return record->frames[i];
        }
        in_header = in_header == 0 ? record->frames[i] : in_header;
    }
    return in_header != 0 ? in_header : record->frames[0];
}

/* Appends "note_open src/x.c:55", or only the function. */
static void stack_name(uint32_t stack, struct buffer *line)
{
    struct symbol symbol;
    probe_symbols_find(own_frame(probe_record_at(stack)), &symbol);
    buffer_text(line, symbol.function);
    if (symbol.file_in_tree != NULL) {
        buffer_printf(line, " %s:%u", symbol.file_in_tree, symbol.line);
    }
}

static void line_write(struct resource_list *list, uint64_t open, uint64_t limit,
                       struct buffer *line)
{
    uint32_t stack = 0;
    int64_t items = 0;
    int64_t unseen = list->unseen[0];
    buffer_printf(line, "%llu of %llu descriptors are open; most (",
                  (unsigned long long)open, (unsigned long long)limit);
    bool found = probe_resource_list_largest(list, &stack, &items);
    if (found && items >= unseen && probe_record_at(stack)->depth > 0) {
        buffer_printf(line, "%lld) were opened by ", (long long)items);
        stack_name(stack, line);
    } else {
        buffer_printf(line, "%lld) were made unseen", (long long)unseen);
    }
    buffer_text(line, " (see /debug/pprof/fds?debug=1)");
}

/* Returns whether the line was said. */
static bool say_now(uint64_t open, uint64_t limit)
{
    struct resource_list list = {.plain = true};
    struct buffer line = {0};
    bool said = false;
    if (probe_fds.list(&list) == 0) {
        probe_symbols_load();
        line_write(&list, open, limit, &line);
        if (line.error == 0) {
            alarm_state.say(line.data);
            said = true;
        }
    }
    buffer_release(&line);
    probe_resource_list_release(&list);
    return said;
}

static int64_t rearm(void)
{
    alarm_state.phase = ASKED;
    alarm_state.next_ns = 0;
    probe_fd_limit_rearm();
    return 0;
}

/* Goes on with this phase after some time. Returns when that is. */
static int64_t later(enum phase phase, int64_t now_ns, int64_t wait_ns)
{
    alarm_state.phase = phase;
    alarm_state.next_ns = now_ns + wait_ns;
    return alarm_state.next_ns;
}

/* Returns when to look again; 0: when asked. */
static int64_t look(int64_t now_ns)
{
    uint64_t open = 0;
    uint64_t limit = 0;
    if (alarm_state.phase == ASKED && alarm_state.settle_ns > 0) {
        return later(SETTLING, now_ns, alarm_state.settle_ns);
    }
    if (alarm_state.phase == RESTING) {
        return rearm();
    }
    int error = count(&open, &limit);
    int64_t rest_ns = REST_NS + (int64_t)open * REST_EACH_NS;
    if (alarm_state.phase == SAID) {
        return error == 0 && open < limit / 2 ? rearm() : later(SAID, now_ns, rest_ns);
    }
    if (error == 0 && open < probe_fd_limit_near(limit)) {
        return later(RESTING, now_ns, rest_ns);
    }
    bool said = error == 0 && say_now(open, limit);
    return later(said ? SAID : SETTLING, now_ns, rest_ns);
}

void probe_fd_alarm_start(bool (*wake)(void), void (*say)(const char *line),
                          int64_t settle_ns)
{
    alarm_state.settle_ns = settle_ns;
    alarm_state.say = say;
    probe_fd_limit_watch(wake);
}

bool probe_fd_alarm_is_due(int64_t now_ns)
{
    return probe_fd_limit_asked() && now_ns >= atomic_load(&alarm_state.next_ns);
}

int64_t probe_fd_alarm_tick(int64_t now_ns)
{
    if (!probe_fd_limit_asked() || atomic_flag_test_and_set(&alarm_state.busy)) {
        return 0;
    }
    int64_t next = atomic_load(&alarm_state.next_ns);
    if (now_ns >= next) {
        next = look(now_ns);
    }
    atomic_flag_clear(&alarm_state.busy);
    return next;
}

void probe_fd_alarm_end(void)
{
    if (probe_fd_limit_asked() && alarm_state.phase <= SETTLING) {
        alarm_state.phase = SETTLING;
        look(0);
    }
}

void probe_fd_alarm_fork_child(void)
{
    atomic_flag_clear(&alarm_state.busy);
    rearm();
}
