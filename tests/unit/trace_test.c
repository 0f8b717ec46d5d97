/*
 * Tests of the rounds of a trace, with threads, symbols and a clock that the tests
 * make: a thread that lives on has one life, nothing waits that is not known to wait,
 * and what is missing is said.
 */
#include "probe/trace/trace.h"

#include <cjson/cJSON.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "base/clock.h"
#include "probe/figures/figures.h"
#include "probe/symbols/symbols.h"
#include "probe/threads/threads.h"
#include "unit.h"

/* The linker sends the calls of the same names here (--wrap). */
int __wrap_clock_gettime(clockid_t clock, struct timespec *ret_time);
void *__real_mmap(void *address, size_t length, int protection, int flags, int fd,
                  off_t offset);
void *__wrap_mmap(void *address, size_t length, int protection, int flags, int fd,
                  off_t offset);

/* Addresses below LIBRARY are the program's, the others the C library's. */
enum { MAIN = 0x1000, SERVE = 0x2000, LIBRARY = 0x10000, POLL = 0x20000 };

#define BORN_NS (5 * CLOCK_NS_PER_SECOND)

static int64_t now_ns;      /* the only time, of all clocks */
static bool memory_is_full; /* no more can be mapped */
static unsigned round_number;
static int figures_error;
static int64_t late_ns; /* how long the first round waits for its turn */
static void (*entry_fill)(struct thread_entry *entry);
static bool later_reads_lag; /* reading one thread takes half a second */

int __wrap_clock_gettime(clockid_t clock, struct timespec *ret_time)
{
    (void)clock;
    ret_time->tv_sec = now_ns / CLOCK_NS_PER_SECOND;
    ret_time->tv_nsec = now_ns % CLOCK_NS_PER_SECOND;
    return 0;
}

void *__wrap_mmap(void *address, size_t length, int protection, int flags, int fd,
                  off_t offset)
{
    return memory_is_full ? MAP_FAILED
                          : __real_mmap(address, length, protection, flags, fd, offset);
}

int probe_figures_read(struct figures *ret_figures)
{
    *ret_figures = (struct figures){.process = {.threads = 1}};
    return figures_error;
}

int probe_symbols_load(void)
{
    return 0;
}

bool probe_symbols_find(uintptr_t address, struct symbol *ret_symbol)
{
    const char *name = address < SERVE ? "main" : address < LIBRARY ? "serve" : "poll";
    *ret_symbol = (struct symbol){.function = name, .start = address & ~0xfffULL};
    return true;
}

const struct module *probe_symbols_module(uintptr_t address)
{
    static const struct module program = {.path = "/usr/bin/program"};
    static const struct module library = {.path = "/usr/lib/libc.so.6"};
    return address < LIBRARY ? &program : &library;
}

static void times_fill(struct thread_entry *entry)
{
    entry->born_ns = BORN_NS;
    entry->lifetime_ns = now_ns - BORN_NS;
}

int probe_threads_read_waits(struct threads *ret_threads)
{
    static const uintptr_t stack[] = {POLL + 8, SERVE + 8, MAIN + 8};
    static const int64_t one[STACK_VALUES] = {1};
    now_ns += round_number == 0 ? late_ns : 0;
    *ret_threads = (struct threads){.count = 1, .taken_ns = now_ns};
    struct thread_entry entry = {.tid = 7, .call = THREADS_CALL_UNKNOWN};
    probe_stacks_add(&ret_threads->stacks, stack, 3, one, &entry.stack);
    entry_fill(&entry);
    buffer_append(&ret_threads->entries, &entry, sizeof(entry));
    round_number++;
    return ret_threads->entries.error;
}

void probe_threads_read_wait(struct thread_entry *entry)
{
    now_ns += later_reads_lag ? CLOCK_NS_PER_SECOND / 2 : 0;
    entry->state = 'S';
    times_fill(entry);
}

struct thread_entry *probe_threads_at(const struct threads *threads, size_t number)
{
    return (struct thread_entry *)(void *)threads->entries.data + number;
}

void probe_threads_release(struct threads *threads)
{
    buffer_release(&threads->entries);
    probe_stacks_release(&threads->stacks);
}

static int reset(void **state)
{
    (void)state;
    now_ns = 100 * CLOCK_NS_PER_SECOND;
    memory_is_full = false;
    round_number = 0;
    figures_error = 0;
    late_ns = 0;
    later_reads_lag = false;
    return 0;
}

static int wait_ms(void *argument, unsigned ms)
{
    (void)argument;
    now_ns += ms * CLOCK_NS_PER_MS;
    return 0;
}

static int wait_until_memory_is_full(void *argument, unsigned ms)
{
    memory_is_full = true;
    return wait_ms(argument, ms);
}

/* Takes a trace of a second. The caller deletes the JSON. */
static cJSON *trace_take(void)
{
    struct buffer text = {0};
    assert_int_equal(probe_trace_take(1, "test", wait_ms, NULL, &text), 0);
    cJSON *trace = cJSON_ParseWithLength(text.data, text.length);
    assert_non_null(trace);
    buffer_release(&text);
    return trace;
}

static double account(const cJSON *trace, const char *name)
{
    const cJSON *data = cJSON_GetObjectItem(trace, "otherData");
    const cJSON *number = cJSON_GetObjectItem(data, name);
    assert_true(cJSON_IsNumber(number));
    return number->valuedouble;
}

/* How many events have this text in this member. */
static unsigned events_count(const cJSON *trace, const char *member, const char *text)
{
    unsigned count = 0;
    const cJSON *event;
    cJSON_ArrayForEach(event, cJSON_GetObjectItem(trace, "traceEvents"))
    {
        const char *value = cJSON_GetStringValue(cJSON_GetObjectItem(event, member));
        count += value != NULL && strcmp(value, text) == 0;
    }
    return count;
}

/* Does not run until half of the rounds are over. */
static void wakes_up(struct thread_entry *entry)
{
    entry->unchanged = round_number < 5;
    if (!entry->unchanged) {
        entry->state = 'S';
        times_fill(entry);
    }
}

static void a_thread_has_one_life_however_late_it_is_read(void **state)
{
    (void)state;
    entry_fill = wakes_up;
    later_reads_lag = true;
    cJSON *trace = trace_take();
    assert_int_equal(events_count(trace, "cat", "life"), 1);
    cJSON_Delete(trace);
}

static void sleeps(struct thread_entry *entry)
{
    entry->state = 'S';
    times_fill(entry);
}

static void a_first_round_that_waits_for_its_turn_does_not_shorten_it(void **state)
{
    (void)state;
    entry_fill = sleeps;
    late_ns = 3 * CLOCK_NS_PER_SECOND;
    cJSON *trace = trace_take();
    assert_true(account(trace, "seconds") >= 1);
    assert_int_equal(account(trace, "rounds_taken"), 11);
    cJSON_Delete(trace);
}

static void sleeps_after_the_first_round(struct thread_entry *entry)
{
    entry->unchanged = round_number > 0;
    if (!entry->unchanged) {
        sleeps(entry);
    }
}

static void a_thread_waits_only_if_that_is_known(void **state)
{
    (void)state;
    /* It slept before the signal, nobody knows in which call, and goes on running. */
    entry_fill = sleeps;
    cJSON *trace = trace_take();
    assert_int_equal(events_count(trace, "cat", "wait"), 0);
    assert_int_equal(events_count(trace, "name", "runs or waits in serve"), 1);
    cJSON_Delete(trace);
    /* It sleeps, and has not run since its stack was taken. */
    round_number = 0;
    entry_fill = sleeps_after_the_first_round;
    trace = trace_take();
    assert_int_equal(events_count(trace, "name", "waits in serve"), 1);
    cJSON_Delete(trace);
}

static void without_memory_for_the_text_there_is_an_error(void **state)
{
    (void)state;
    entry_fill = sleeps;
    struct buffer text = {0};
    int error = probe_trace_take(1, "test", wait_until_memory_is_full, NULL, &text);
    assert_int_equal(error, -ENOMEM);
    buffer_release(&text);
}

static int stop(void *argument, unsigned ms)
{
    (void)argument, (void)ms;
    return -ECANCELED;
}

/* Some threads do not answer: the round takes its two seconds. */
static void is_silent(struct thread_entry *entry)
{
    entry->stack = THREADS_NO_STACK;
    now_ns += 2 * CLOCK_NS_PER_SECOND;
}

static void slow_rounds_do_not_delay_a_stop(void **state)
{
    (void)state;
    entry_fill = is_silent;
    struct buffer text = {0};
    assert_int_equal(probe_trace_take(60, "test", stop, NULL, &text), -ECANCELED);
    assert_int_equal(round_number, 1);
}

static void figures_that_a_round_could_not_read_are_counted(void **state)
{
    (void)state;
    entry_fill = sleeps;
    cJSON *trace = trace_take();
    assert_int_equal(account(trace, "figures_missed"), 0);
    cJSON_Delete(trace);
    figures_error = -EMFILE;
    trace = trace_take();
    assert_int_equal(account(trace, "figures_missed"), account(trace, "rounds_taken"));
    cJSON_Delete(trace);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_thread_has_one_life_however_late_it_is_read, reset),
        cmocka_unit_test_setup(
            a_first_round_that_waits_for_its_turn_does_not_shorten_it, reset),
        cmocka_unit_test_setup(a_thread_waits_only_if_that_is_known, reset),
        cmocka_unit_test_setup(without_memory_for_the_text_there_is_an_error, reset),
        cmocka_unit_test_setup(slow_rounds_do_not_delay_a_stop, reset),
        cmocka_unit_test_setup(figures_that_a_round_could_not_read_are_counted, reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
