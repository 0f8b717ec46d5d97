/*
 * Tests of the forms of a thread profile: profile.proto, the text with equal stacks
 * counted together, and the text with one block for each thread.
 */
#include "probe/threads/thread_profile.h"

#include "proto_reader.h"
#include "thread_gate.h"

/* Reads two workers and a thread that blocks signals at the gate, with details. */
static struct threads three_read(void)
{
    gate_thread(worker_run, NULL);
    gate_thread(worker_run, NULL);
    wait_for_arrivals(&gate, 2);
    gate_thread(deaf_run, NULL);
    wait_for_arrivals(&deaf_gate, 1);
    return read_all(true);
}

static void proto_counts_threads(void **state)
{
    (void)state;
    struct threads threads = three_read();
    struct buffer buffer = {0};
    assert_int_equal(probe_thread_profile_proto(&threads, "goroutine", &buffer), 0);
    struct proto profile = proto_of(&buffer);
    struct proto type;
    assert_int_equal(proto_count(profile, 1), 1);
    assert_true(proto_message(profile, 1, 0, &type));
    assert_string_equal(profile_string(profile, proto_number(type, 1)), "goroutine");
    int64_t totals[8];
    profile_totals(profile, totals);
    assert_int_equal(totals[0], 4 + strangers);
    struct profile_sample sample;
    assert_true(profile_sample_in(profile, 0, "thread_did_not_answer", &sample));
    assert_int_equal(sample.values[0], 1 + strangers);
    /* worker_run is not the leaf: some frames of the C library come first, and more
     * with a sanitizer. */
    bool found = false;
    for (size_t frame = 1; frame < 12 && !found; frame++) {
        found = profile_sample_in(profile, frame, "worker_run", &sample);
        if (found) {
            struct profile_place place =
                profile_place(profile, sample.locations[frame]);
            assert_non_null(strstr(place.file, "tests/unit/thread_gate.h"));
        }
    }
    assert_true(found);
    buffer_release(&buffer);
    probe_threads_release(&threads);
}

static void text_begins_with_the_most_numerous(void **state)
{
    (void)state;
    struct threads threads = three_read();
    struct buffer buffer = {0};
    assert_int_equal(probe_thread_profile_text(&threads, &buffer), 0);
    char first[100];
    snprintf(first, sizeof(first), "threads profile: total %zu\n2 @ 0x", 4 + strangers);
    assert_true(strncmp(buffer.data, first, strlen(first)) == 0);
    assert_non_null(strstr(buffer.data, "\tworker_run+0x"));
    assert_non_null(strstr(buffer.data, "\ttests/unit/thread_gate.h:"));
    assert_non_null(strstr(buffer.data, "\n1 @ 0x"));
    snprintf(first, sizeof(first), "\n# %zu did not answer", 1 + strangers);
    assert_non_null(strstr(buffer.data, first));
    assert_non_null(strstr(buffer.data, "\n--- Memory map: ---\n"));
    buffer_release(&buffer);
    probe_threads_release(&threads);
}

static void blocks_tell_of_each_thread(void **state)
{
    (void)state;
    pthread_setname_np(pthread_self(), "the first one");
    struct threads threads = three_read();
    struct buffer buffer = {0};
    assert_int_equal(probe_thread_profile_blocks(&threads, NULL, &buffer), 0);
    char heading[100];
    snprintf(heading, sizeof(heading), "thread %d \"the first one\" [running]:\n",
             (int)getpid());
    assert_true(strncmp(buffer.data, heading, strlen(heading)) == 0);
    snprintf(heading, sizeof(heading),
             "\n\nthread %d \"worker (1) :\" [sleeping, at least ",
             (int)probe_threads_at(&threads, 1 + strangers)->tid);
    assert_non_null(strstr(buffer.data, heading));
    assert_non_null(strstr(buffer.data, "\nworker_run\n\ttests/unit/thread_gate.h:"));
    assert_non_null(strstr(buffer.data, "]:\nno stack: it blocks signal "));
    buffer_release(&buffer);
    probe_threads_release(&threads);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        GATE_TEST(proto_counts_threads),
        GATE_TEST(text_begins_with_the_most_numerous),
        GATE_TEST(blocks_tell_of_each_thread),
    };
    return cmocka_run_group_tests(tests, gate_group_setup, NULL);
}
