/*
 * Tests of who made what grew: profiles of things that are counted, the blame between
 * two of them, the list of deadlocks, and what is said in words. The profiles are
 * written here; they share no code with the writer in probe/.
 */
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "leakcheck/judge/made.h"
#include "leakcheck/judge/source_tree.h"
#include "leakcheck/judge/verdict.h"
#include "leakcheck/measure/locks_reply.h"
#include "leakcheck/measure/profile_parse.h"
#include "leakcheck/report/made_text.h"
#include "proto_writer.h"

/* A stack of one function with a line, or, without an address, a word. */
struct row {
    uint64_t address;
    const char *function;
    const char *file;
    uint64_t line;
    uint64_t count;
    uint64_t bytes;
    const char *reason; /* NULL: none */
};

static void message_end(struct buffer *to, unsigned field, struct buffer *message)
{
    proto_bytes(to, field, message->data, message->length);
    buffer_release(message);
}

/* Adds a text to the table; returns its number. */
static uint64_t text_put(struct buffer *texts, uint64_t *count, const char *text)
{
    proto_bytes(texts, 6, text, strlen(text));
    return (*count)++;
}

static void row_put(struct buffer *to, struct buffer *texts, uint64_t *text_count,
                    uint64_t id, const struct row *row)
{
    struct buffer function = {0};
    struct buffer line = {0};
    struct buffer location = {0};
    struct buffer sample = {0};
    proto_number(&function, 1, id);
    proto_number(&function, 2, text_put(texts, text_count, row->function));
    if (row->file != NULL) {
        proto_number(&function, 4, text_put(texts, text_count, row->file));
    }
    message_end(to, 5, &function);
    proto_number(&line, 1, id);
    proto_number(&line, 2, row->line);
    proto_number(&location, 1, id);
    proto_number(&location, 3, row->address);
    message_end(&location, 4, &line);
    message_end(to, 4, &location);
    proto_number(&sample, 1, id);
    proto_number(&sample, 2, row->count);
    proto_number(&sample, 2, row->bytes);
    if (row->reason != NULL) {
        struct buffer label = {0};
        proto_number(&label, 1, text_put(texts, text_count, "reason"));
        proto_number(&label, 2, text_put(texts, text_count, row->reason));
        message_end(&sample, 3, &label);
    }
    message_end(to, 2, &sample);
}

static void type_put(struct buffer *to, uint64_t name, uint64_t unit)
{
    struct buffer type = {0};
    proto_number(&type, 1, name);
    proto_number(&type, 2, unit);
    message_end(to, 1, &type);
}

/* A profile with the values `counted` and "space", of so many stacks. */
static struct buffer written(const char *counted, const struct row *rows, size_t count)
{
    struct buffer to = {0};
    struct buffer texts = {0};
    uint64_t text_count = 0;
    text_put(&texts, &text_count, "");
    uint64_t name = text_put(&texts, &text_count, counted);
    uint64_t unit = text_put(&texts, &text_count, "count");
    uint64_t space = text_put(&texts, &text_count, "space");
    uint64_t bytes = text_put(&texts, &text_count, "bytes");
    type_put(&to, name, unit);
    type_put(&to, space, bytes);
    for (size_t i = 0; i < count; i++) {
        row_put(&to, &texts, &text_count, i + 1, &rows[i]);
    }
    buffer_append(&to, texts.data, texts.length);
    buffer_release(&texts);
    return to;
}

static struct profile profile_of(const struct row *rows, size_t count)
{
    struct buffer bytes = written("fds", rows, count);
    struct profile profile;
    struct failure failure = {""};
    if (profile_parse_counts(&profile, bytes.data, bytes.length, "fds", &failure) < 0) {
        fail_msg("%s", failure.text);
    }
    buffer_release(&bytes);
    return profile;
}

#define PROFILE(...)                                                                   \
    profile_of((const struct row[]){__VA_ARGS__},                                      \
               sizeof((const struct row[]){__VA_ARGS__}) / sizeof(struct row))

static struct blame blame_of(struct profile base, struct profile last,
                             const char *own_file)
{
    struct blame made;
    struct failure failure = {""};
    struct made_base from = {.there[RESOURCE_FDS] = true};
    struct blame_own own = {.paths = &own_file, .count = own_file != NULL};
    from.at[RESOURCE_FDS] = base;
    assert_int_equal(made_compare(&made, &from, &last, RESOURCE_FDS, own, &failure), 0);
    made_base_release(&from);
    profile_release(&last);
    return made;
}

#define OPENED(count)                                                                  \
    {                                                                                  \
        0x10, "note_open", "leaky/x.c", 46, count, 0, NULL                             \
    }
#define ACCEPTED(count)                                                                \
    {                                                                                  \
        0x20, "serve", "lib/y.c", 9, count, 0, NULL                                    \
    }
#define UNSEEN(count)                                                                  \
    {                                                                                  \
        0, "made unseen", NULL, 0, count, 0, NULL                                      \
    }
#define PROBES(count)                                                                  \
    {                                                                                  \
        0, "the probe's own", NULL, 0, count, 0, NULL                                  \
    }

static void counts_are_found_by_name(void **state)
{
    (void)state;
    struct profile profile = PROFILE({0x10, "f", "x.c", 3, 7, 4096, NULL},
                                     {0x20, "g", "x.c", 5, 2, 100, NULL});
    assert_int_equal(profile.count, 2);
    assert_int_equal(profile.totals.inuse_objects, 9);
    assert_int_equal(profile.totals.inuse_bytes, 4196);
    assert_string_equal(profile.records[0].frames[0].function, "f");
    profile_release(&profile);
}

/* What has another value, or is no profile.proto, is refused. */
static void other_profiles_are_refused(void **state)
{
    (void)state;
    const struct row row = OPENED(1);
    struct buffer bytes = written("timers", &row, 1);
    struct profile profile;
    struct failure failure = {""};
    assert_int_equal(
        profile_parse_counts(&profile, bytes.data, bytes.length, "fds", &failure),
        -EPROTO);
    assert_non_null(strstr(failure.text, "none of its values is named 'fds'"));
    assert_int_equal(profile_parse_counts(&profile, bytes.data, bytes.length - 3,
                                          "timers", &failure),
                     -EPROTO);
    buffer_release(&bytes);
    const char text[] = "fds profile: total 1\n1 @ 0x1\n";
    assert_int_equal(
        profile_parse_counts(&profile, text, strlen(text), "fds", &failure), -EPROTO);
    assert_int_equal(profile_parse_counts(&profile, NULL, 0, "fds", &failure), -EPROTO);
    /* A count that is negative as the format has it. */
    const struct row negative = OPENED(UINT64_MAX);
    bytes = written("fds", &negative, 1);
    assert_int_equal(
        profile_parse_counts(&profile, bytes.data, bytes.length, "fds", &failure),
        -EPROTO);
    buffer_release(&bytes);
}

/* Equal stacks for different reasons stay apart. */
static void reasons_stay_apart(void **state)
{
    (void)state;
    struct profile profile = PROFILE({0x10, "f", "x.c", 3, 2, 0, "deadlock"},
                                     {0x10, "f", "x.c", 3, 1, 0, "stuck"},
                                     {0x10, "f", "x.c", 3, 4, 0, "deadlock"});
    assert_int_equal(profile.count, 2);
    for (size_t i = 0; i < 2; i++) {
        const struct record *record = &profile.records[i];
        bool deadlock = strcmp(record->reason, "deadlock") == 0;
        assert_int_equal(record->amounts.inuse_objects, deadlock ? 6 : 1);
        assert_int_equal(record->frame_count, 1);
    }
    profile_release(&profile);
}

static void line_that_made_all_has_all(void **state)
{
    (void)state;
    struct blame made = blame_of(PROFILE(OPENED(1), ACCEPTED(5)),
                                 PROFILE(OPENED(201), ACCEPTED(5)), NULL);
    assert_string_equal(made.function, "note_open");
    assert_int_equal(made.line, 46);
    assert_int_equal(made.growth, 200);
    assert_int_equal(made.total, 200);
    assert_string_equal(made_text_phrase(RESOURCE_FDS, &made).at,
                        "opened in note_open leaky/x.c:46 (100 %)");
}

/* The own code is blamed before more growth elsewhere, with its share. */
static void own_line_comes_first(void **state)
{
    (void)state;
    struct blame made =
        blame_of(PROFILE(ACCEPTED(5)), PROFILE(OPENED(10), ACCEPTED(35)), "leaky/x.c");
    assert_string_equal(made.function, "note_open");
    assert_string_equal(made_text(&made).at, "note_open leaky/x.c:46 (25 %)");
    made = blame_of(PROFILE(ACCEPTED(5)), PROFILE(OPENED(10), ACCEPTED(35)), NULL);
    assert_string_equal(made.function, "serve");
}

/* What was made unseen has its share, and no line; it is never the function. */
static void unseen_blames_no_line(void **state)
{
    (void)state;
    struct blame made =
        blame_of(PROFILE(UNSEEN(3)), PROFILE(OPENED(10), UNSEEN(33)), NULL);
    assert_string_equal(made.function, "note_open");
    assert_int_equal(made.growth, 10);
    assert_int_equal(made.unseen, 30);
    assert_string_equal(made_text(&made).at,
                        "note_open leaky/x.c:46 (25 %, 75 % made unseen)");
    made = blame_of(PROFILE(UNSEEN(3)), PROFILE(UNSEEN(33)), NULL);
    assert_int_equal(made.growth, 0);
    assert_string_equal(made.function, "");
    assert_string_equal(made_text_phrase(RESOURCE_FDS, &made).at,
                        "descriptors made unseen (100 %)");
}

/* What the profile takes itself is no growth of the program's. */
static void probe_is_not_blamed(void **state)
{
    (void)state;
    struct blame made =
        blame_of(PROFILE(OPENED(1)), PROFILE(OPENED(2), PROBES(9)), NULL);
    assert_int_equal(made.growth, 1);
    assert_int_equal(made.total, 1);
    made = blame_of(PROFILE(OPENED(1)), PROFILE(OPENED(1), PROBES(9)), NULL);
    assert_int_equal(made.total, 0);
    assert_false(made_text_is_known(&made));
}

static int locks_of(const char *text, struct locks_reply *reply, struct arena *arena)
{
    struct failure failure = {""};
    int error = locks_parse(reply, arena, text, strlen(text), &failure);
    assert_true((error < 0) == (failure.text[0] != '\0'));
    return error;
}

static void deadlocks_are_read(void **state)
{
    (void)state;
    struct arena arena = {0};
    struct locks_reply reply;
    assert_int_equal(
        locks_of(
            "{\"measured\": true, \"waits\": [], \"deadlocks\": [{\"threads\": [7, "
            "8]}], \"never_released\": [{\"lock\": \"0x1\", \"threads\": [9]}]}",
            &reply, &arena),
        0);
    assert_int_equal(reply.deadlock_count, 1);
    assert_int_equal(reply.deadlocks[0].count, 2);
    assert_int_equal(reply.deadlocks[0].threads[1], 8);
    assert_int_equal(reply.never_released_count, 1);
    assert_int_equal(reply.never_released[0].count, 1);
    assert_false(reply.lists_threads);
    arena_release(&arena);
}

/* Those that wait behind others never go on either; the others may. */
static void stuck_threads_are_read(void **state)
{
    (void)state;
    struct arena arena = {0};
    struct locks_reply reply;
    assert_int_equal(
        locks_of("{\"measured\": true, \"waits\": [{\"tid\": 7, \"verdict\": "
                 "\"deadlock\"}, {\"tid\": 8, \"verdict\": \"waits\"}, {\"tid\": 9, "
                 "\"verdict\": \"stuck\"}], \"deadlocks\": [], \"never_released\": "
                 "[], \"threads\": [3, 7, 8, 9]}",
                 &reply, &arena),
        0);
    assert_true(reply.lists_threads);
    assert_int_equal(reply.threads.count, 4);
    assert_int_equal(reply.threads.threads[0], 3);
    assert_int_equal(reply.stuck.count, 2);
    assert_int_equal(reply.stuck.threads[1], 9);
    arena_release(&arena);
}

static void lock_lists_are_not_trusted(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "[]",
        "{}",
        "{\"measured\": 1, \"deadlocks\": [], \"never_released\": []}",
        "{\"measured\": false, \"reason\": \"off\"}",
        "{\"measured\": true, \"deadlocks\": []}",
        "{\"measured\": true, \"deadlocks\": {}, \"never_released\": []}",
        "{\"measured\": true, \"deadlocks\": [7], \"never_released\": []}",
        "{\"measured\": true, \"deadlocks\": [{\"threads\": []}], \"never_released\": "
        "[]}",
        "{\"measured\": true, \"deadlocks\": [{\"threads\": [-1]}], "
        "\"never_released\": []}",
        "{\"measured\": true, \"deadlocks\": [{\"threads\": [1e300]}], "
        "\"never_released\": []}",
        "{\"measured\": true, \"deadlocks\": [], \"never_released\": [], "
        "\"threads\": [7]}",
        "{\"measured\": true, \"waits\": [], \"deadlocks\": [], \"never_released\": "
        "[], \"threads\": 7}",
        "{\"measured\": true, \"waits\": [{}], \"deadlocks\": [], "
        "\"never_released\": [], \"threads\": [7]}",
        "{\"measured\": true, \"waits\": [{\"verdict\": \"stuck\"}], \"deadlocks\": "
        "[], \"never_released\": [], \"threads\": [7]}",
        "{\"measured\": true, \"deadlocks\": [{\"threads\": [\"7\"]}], "
        "\"never_released\": []}",
        "{\"measured\": true, \"deadlocks\": [], \"never_released\": [{\"lock\": 1}]}",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct arena arena = {0};
        struct locks_reply reply;
        if (locks_of(texts[i], &reply, &arena) != -EPROTO) {
            fail_msg("taken: %s", texts[i]);
        }
        arena_release(&arena);
    }
}

/* More threads than a reply may name. */
static void lock_lists_are_bounded(void **state)
{
    (void)state;
    struct buffer text = {0};
    buffer_text(&text, "{\"measured\": true, \"never_released\": [], \"deadlocks\": [");
    for (int i = 0; i <= LOCKS_GROUPS_MAX / 2; i++) {
        buffer_printf(&text, "%s{\"threads\":[1,2]}", i == 0 ? "" : ",");
    }
    buffer_text(&text, "]}");
    assert_true(text.length < LOCKS_JSON_MAX);
    struct arena arena = {0};
    struct locks_reply reply;
    assert_int_equal(locks_of(text.data, &reply, &arena), -EPROTO);
    arena_release(&arena);
    buffer_release(&text);
}

static void proof_is_said_in_words(void **state)
{
    (void)state;
    struct proof proof = {.explains = 3, .grew = 3};
    struct proof_part *deadlock = &proof.parts[PROOF_DEADLOCK];
    assert_string_equal(made_text_proof(&proof).at, "");
    *deadlock = (struct proof_part){
        .threads = 2,
        .together = 2,
        .places = {{"f", "leaky/x.c", 74, 1}, {"f", "leaky/x.c", 81, 1}},
        .place_count = 2};
    assert_string_equal(made_text_proof(&proof).at,
                        "proved: deadlock of 2 threads, leaky/x.c:74 and :81");
    proof.grew = 9;
    assert_string_equal(
        made_text_proof(&proof).at,
        "proved: deadlock of 2 threads, leaky/x.c:74 and :81 (3 of 9 threads)");
    proof.parts[PROOF_NEVER_RELEASED] = (struct proof_part){
        .threads = 1, .places = {{"g", "", 0, 1}}, .place_count = 1};
    assert_string_equal(
        made_text_proof(&proof).at,
        "proved: deadlock of 2 threads, leaky/x.c:74 and :81, and never "
        "released, g (3 of 9 threads)");
    assert_ptr_equal(proof_main(&proof), deadlock);
    *deadlock = (struct proof_part){.threads = 0};
    assert_string_equal(made_text_proof(&proof).at,
                        "proved: never released, g (3 of 9 threads)");
    proof.explains = 0;
    assert_string_equal(made_text_proof(&proof).at,
                        "proved: never released, g (none of the threads that grew)");
    proof.explains = UNKNOWN;
    assert_string_equal(made_text_proof(&proof).at,
                        "proved: never released, g (whether these are the threads that "
                        "grew is not known)");
}

/* One file has one name, though its profiles differ in that. */
static void build_directory_is_left_out(void **state)
{
    (void)state;
    struct profile shorts = PROFILE({0x10, "main", "src/main.c", 3, 1, 0, NULL});
    struct profile whole = PROFILE({0x10, "main", "/home/x/src/main.c", 3, 1, 0, NULL},
                                   {0x20, "f", "/home/x/src/f.c", 9, 1, 0, NULL});
    static const char *const cases[][2] = {{"/home/x/src/f.c", "src/f.c"},
                                           {"/home/y/src/f.c", "/home/y/src/f.c"},
                                           {"/home/x/", ""},
                                           {"src/f.c", "src/f.c"},
                                           {"", ""}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char name[40];
        snprintf(name, sizeof(name), "%s", cases[i][0]);
        source_tree_leave_out(name, &whole, &shorts);
        assert_string_equal(name, cases[i][1]);
    }
    profile_release(&shorts);
    profile_release(&whole);
}

/* Mappings and children of a fixed half that grow are no fix; those of a leaky half
 * prove nothing, and are not asked for. */
static void fix_keeps_no_mappings_and_children(void **state)
{
    (void)state;
    const struct scenario_info info = {
        .kind = KIND_PERMANENT, .suspect = "", .leaves.amount[RESOURCE_HEAP] = 100};
    struct sample samples[5] = {{.calls = 0}, {.calls = 8}};
    struct trial trial = {.info = &info, .samples = samples, .sample_count = 2};
    struct finding unknown = verdict_fixed(&trial); /* nothing was measured */
    assert_false(unknown.good);
    assert_true(unknown.unmeasured);
    for (int i = 0; i < RESOURCE_COUNT; i++) {
        trial.measured[i] = true;
    }
    assert_true(verdict_fixed(&trial).good);
    trial.fits[RESOURCE_MAPPINGS] =
        (struct fit){.slope = 1, .change = 8, .grew_every_round = true};
    struct finding finding = verdict_fixed(&trial);
    assert_false(finding.good);
    assert_int_equal(finding.over, RESOURCE_MAPPINGS);
    assert_string_equal(finding.reason, "mappings grew by 1.00 a call in every round");
    trial.fits[RESOURCE_MAPPINGS].grew_every_round = false;
    assert_true(verdict_fixed(&trial).good);
    trial.fits[RESOURCE_CHILDREN] = (struct fit){.slope = 1, .change = 8};
    finding = verdict_fixed(&trial);
    assert_false(finding.good);
    assert_int_equal(finding.over, RESOURCE_CHILDREN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_are_found_by_name),
        cmocka_unit_test(other_profiles_are_refused),
        cmocka_unit_test(reasons_stay_apart),
        cmocka_unit_test(line_that_made_all_has_all),
        cmocka_unit_test(own_line_comes_first),
        cmocka_unit_test(unseen_blames_no_line),
        cmocka_unit_test(probe_is_not_blamed),
        cmocka_unit_test(deadlocks_are_read),
        cmocka_unit_test(stuck_threads_are_read),
        cmocka_unit_test(lock_lists_are_not_trusted),
        cmocka_unit_test(lock_lists_are_bounded),
        cmocka_unit_test(proof_is_said_in_words),
        cmocka_unit_test(build_directory_is_left_out),
        cmocka_unit_test(fix_keeps_no_mappings_and_children),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
