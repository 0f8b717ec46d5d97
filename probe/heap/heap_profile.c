/*
 * Parses gperftools' text and writes it in other formats. The parser trusts nothing:
 * the text may be cut anywhere.
 */
#include "probe/heap/heap_profile.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "base/number.h"
#include "probe/symbols/frame_text.h"
#include "probe/symbols/symbols.h"

#define CUT_NAME "heap_stacks_cut_from_text"
#define NUMBER_MAX 999999999999999999 /* 18 digits, far from overflow */

/* The current position of a parser in the text; it never passes the '\0'. */
struct cursor {
    const char *at;
};

static void spaces_skip(struct cursor *cursor)
{
    while (*cursor->at == ' ') {
        cursor->at++;
    }
}

static bool character_take(struct cursor *cursor, char character)
{
    spaces_skip(cursor);
    if (*cursor->at != character) {
        return false;
    }
    cursor->at++;
    return true;
}

/* Reads a decimal number; false if there is none or it is too large. */
static bool number_take(struct cursor *cursor, int64_t *ret_number)
{
    spaces_skip(cursor);
    bool negative = *cursor->at == '-';
    if (negative) {
        cursor->at++;
    }
    uint64_t number;
    const char *end = number_scan(cursor->at, NULL, &number);
    if (end == NULL || number > NUMBER_MAX) {
        return false;
    }
    cursor->at = end;
    *ret_number = negative ? -(int64_t)number : (int64_t)number;
    return true;
}

/* "objects: bytes [objects: bytes] @", in-use first. */
static bool values_take(struct cursor *cursor, int64_t values[STACK_VALUES])
{
    bool taken =
        number_take(cursor, &values[HEAP_INUSE_OBJECTS]) &&
        character_take(cursor, ':') && number_take(cursor, &values[HEAP_INUSE_SPACE]) &&
        character_take(cursor, '[') &&
        number_take(cursor, &values[HEAP_ALLOC_OBJECTS]) &&
        character_take(cursor, ':') && number_take(cursor, &values[HEAP_ALLOC_SPACE]) &&
        character_take(cursor, ']') && character_take(cursor, '@');
    /* gperftools 2.10 counts in signed 32-bit numbers: after 2^31 they are negative. */
    if (taken && values[HEAP_ALLOC_OBJECTS] < 0) {
        values[HEAP_ALLOC_OBJECTS] += INT64_C(1) << 32;
    }
    return taken;
}

/* The text can hold any numbers: a result that is too large wraps around. */
static void values_subtract(int64_t from[STACK_VALUES],
                            const int64_t values[STACK_VALUES])
{
    for (size_t i = 0; i < STACK_VALUES; i++) {
        from[i] = (int64_t)((uint64_t)from[i] - (uint64_t)values[i]);
    }
}

/* Corrects `cut`, the header's values minus those of all lines. The header's counts of
 * objects wrap at 2^32 before those of the lines do, so they are known only modulo
 * 2^32. Returns whether anything was cut. */
static bool cut_settle(int64_t cut[STACK_VALUES])
{
    cut[HEAP_ALLOC_OBJECTS] = (int32_t)cut[HEAP_ALLOC_OBJECTS];
    cut[HEAP_INUSE_OBJECTS] = (int32_t)cut[HEAP_INUSE_OBJECTS];
    for (size_t i = 0; i < STACK_VALUES; i++) {
        if (cut[i] != 0) {
            return true;
        }
    }
    return false;
}

/* Reads "0x<address>"; false if there is something else. */
static bool address_take(struct cursor *cursor, uintptr_t *ret_address)
{
    spaces_skip(cursor);
    if (cursor->at[0] != '0' || cursor->at[1] != 'x') {
        return false;
    }
    uint64_t address;
    const char *end = number_scan_hex(cursor->at + 2, NULL, &address);
    if (end == NULL) {
        return false;
    }
    cursor->at = end;
    *ret_address = address;
    return true;
}

/* One stack's line. Frames beyond STACK_DEPTH_MAX are left out; gperftools keeps 32. */
struct heap_line {
    int64_t values[STACK_VALUES];
    uintptr_t frames[STACK_DEPTH_MAX]; /* return addresses */
    size_t depth;
};

static bool line_parse(const char *line, size_t length, struct heap_line *ret_line)
{
    struct cursor cursor = {line};
    if (!values_take(&cursor, ret_line->values)) {
        return false;
    }
    ret_line->depth = 0;
    uintptr_t address = 0;
    while (address_take(&cursor, &address)) {
        if (ret_line->depth < STACK_DEPTH_MAX) {
            ret_line->frames[ret_line->depth++] = address;
        }
    }
    spaces_skip(&cursor);
    return cursor.at == line + length;
}

static bool header_parse(const char *text, int64_t totals[STACK_VALUES])
{
    static const char start[] = "heap profile:";
    if (strncmp(text, start, sizeof(start) - 1) != 0) {
        return false;
    }
    struct cursor cursor = {text + sizeof(start) - 1};
    if (!values_take(&cursor, totals)) {
        return false;
    }
    spaces_skip(&cursor);
    return strncmp(cursor.at, "heapprofile", strlen("heapprofile")) == 0;
}

/* One line of the text between its header and the list of mappings. */
struct text_line {
    const char *start;
    size_t length; /* without the newline */
    const char *next;
};

/* Goes to the next line. False at the end of the stacks: at the list of mappings, or at
 * the end of the text. */
static bool text_next(struct text_line *line)
{
    line->start = line->next;
    if (*line->start == '\0' ||
        strncmp(line->start, "MAPPED_LIBRARIES:", strlen("MAPPED_LIBRARIES:")) == 0 ||
        strncmp(line->start, "--- Memory map:", strlen("--- Memory map:")) == 0) {
        return false;
    }
    line->length = strcspn(line->start, "\n");
    line->next = line->start + line->length + (line->start[line->length] == '\n');
    return true;
}

/* Whether at most an empty line comes before the end of the stacks. */
static bool text_at_end(struct text_line line)
{
    while (text_next(&line)) {
        if (line.length > 0) {
            return false;
        }
    }
    return true;
}

/* Turns return addresses into addresses inside the calls. */
static void frames_into_calls(struct heap_line *line)
{
    for (size_t i = 0; i < line->depth; i++) {
        line->frames[i]--;
    }
}

static int stack_collect(struct heap_text *parsed, struct heap_line *line)
{
    frames_into_calls(line);
    values_subtract(parsed->cut, line->values);
    return probe_stacks_add(&parsed->stacks, line->frames, line->depth, line->values,
                            NULL);
}

int probe_heap_text_parse(const char *text, struct heap_text *ret_parsed)
{
    struct heap_text parsed = {0};
    if (!header_parse(text, parsed.totals)) {
        return -EBADMSG;
    }
    /* The lines are subtracted from this: what is left was cut from the text. */
    memcpy(parsed.cut, parsed.totals, sizeof(parsed.cut));
    struct text_line line = {.next = text};
    text_next(&line);
    struct heap_line stack;
    int error = 0;
    while (error == 0 && text_next(&line)) {
        if (line.length == 0 || line.start[0] == '#') {
            continue;
        }
        if (line_parse(line.start, line.length, &stack)) {
            error = stack_collect(&parsed, &stack);
        } else if (!text_at_end(line)) {
            error = -EBADMSG;
        }
    }
    parsed.is_cut = cut_settle(parsed.cut);
    if (error != 0) {
        probe_heap_text_release(&parsed);
        return error;
    }
    *ret_parsed = parsed;
    return 0;
}

void probe_heap_text_release(struct heap_text *parsed)
{
    probe_stacks_release(&parsed->stacks);
}

struct profile_description probe_heap_description(enum heap_view view)
{
    return (struct profile_description){
        .types = {[HEAP_ALLOC_OBJECTS] = {"alloc_objects", "count"},
                  [HEAP_ALLOC_SPACE] = {"alloc_space", "bytes"},
                  [HEAP_INUSE_OBJECTS] = {"inuse_objects", "count"},
                  [HEAP_INUSE_SPACE] = {"inuse_space", "bytes"}},
        .period_type = {"space", "bytes"},
        .period = 1, /* every allocation is counted, none is sampled */
        .default_type = view == HEAP_VIEW_ALLOCS ? "alloc_space" : "inuse_space",
        .time_ns = probe_profile_now(),
    };
}

static void description_add_cut(struct profile_description *description,
                                const int64_t cut[STACK_VALUES])
{
    description->comment = "The profiler's text was cut at 1 MiB: what the smallest "
                           "stacks hold is shown as " CUT_NAME ".";
    description->rest_name = CUT_NAME;
    memcpy(description->rest, cut, sizeof(description->rest));
}

/* Adds the sample of one line. The text of the addresses is the key of the stack; it is
 * parsed only if the writer does not know it from an earlier profile. */
static bool line_add(struct profile_writer *writer, const struct text_line *line,
                     int64_t cut[STACK_VALUES])
{
    struct cursor cursor = {line->start};
    int64_t values[STACK_VALUES];
    if (!values_take(&cursor, values)) {
        return false;
    }
    const char *key = cursor.at;
    size_t key_bytes = (size_t)(line->start + line->length - key);
    if (!probe_profile_add_known(writer, key, key_bytes, values)) {
        struct heap_line stack;
        if (!line_parse(line->start, line->length, &stack)) {
            return false;
        }
        frames_into_calls(&stack);
        probe_profile_add_as(writer, key, key_bytes, stack.frames, stack.depth, values);
    }
    values_subtract(cut, values);
    return true;
}

int probe_heap_profile_proto(const char *text, enum heap_view view,
                             struct buffer *ret_profile)
{
    int64_t cut[STACK_VALUES];
    if (!header_parse(text, cut)) {
        return -EBADMSG;
    }
    struct profile_writer *writer = probe_profile_begin(STACK_VALUES);
    struct text_line line = {.next = text};
    text_next(&line);
    while (text_next(&line)) {
        if (line.length > 0 && line.start[0] != '#' && !line_add(writer, &line, cut) &&
            !text_at_end(line)) {
            probe_profile_abandon(writer);
            return -EBADMSG;
        }
    }
    struct profile_description description = probe_heap_description(view);
    if (cut_settle(cut)) {
        description_add_cut(&description, cut);
    }
    return probe_profile_end(writer, &description, ret_profile);
}

int probe_heap_stacks_subtract(struct stacks *after, const struct stacks *before)
{
    for (size_t i = 0; i < before->count; i++) {
        const struct stack *stack = probe_stacks_at(before, i);
        int64_t values[STACK_VALUES] = {0};
        values_subtract(values, stack->values);
        int error = probe_stacks_add(after, probe_stacks_frames(before, stack),
                                     stack->depth, values, NULL);
        if (error != 0) {
            return error;
        }
    }
    return 0;
}

/* Subtracts all values of `before` from `after`. */
static int heap_text_subtract(struct heap_text *after, const struct heap_text *before)
{
    values_subtract(after->cut, before->cut);
    after->is_cut |= before->is_cut;
    return probe_heap_stacks_subtract(&after->stacks, &before->stacks);
}

int probe_heap_profile_difference(const char *before, const char *after,
                                  int64_t duration_ns, enum heap_view view,
                                  struct buffer *ret_profile)
{
    struct heap_text first = {0};
    struct heap_text second = {0};
    int error = probe_heap_text_parse(before, &first);
    if (error == 0) {
        error = probe_heap_text_parse(after, &second);
    }
    if (error == 0) {
        error = heap_text_subtract(&second, &first);
    }
    if (error == 0) {
        struct profile_description description = probe_heap_description(view);
        description.duration_ns = duration_ns;
        if (second.is_cut) {
            description_add_cut(&description, second.cut);
        }
        error = probe_profile_write(&second.stacks, &description, ret_profile);
    }
    probe_heap_text_release(&first);
    probe_heap_text_release(&second);
    return error;
}

/* Appends a stack's line and a comment line for each of its frames. */
static void stack_comment(const struct text_line *line, const struct heap_line *stack,
                          struct buffer *text)
{
    buffer_append(text, line->start, line->length);
    buffer_append(text, "\n", 1);
    for (size_t i = 0; i < stack->depth; i++) {
        probe_frame_comment(text, stack->frames[i], stack->frames[i] - 1);
    }
}

int probe_heap_profile_text(const char *text, struct buffer *ret_text)
{
    struct heap_text parsed;
    int error = probe_heap_text_parse(text, &parsed);
    if (error != 0) {
        return error;
    }
    probe_symbols_load();
    struct text_line line = {.next = text};
    text_next(&line);
    buffer_append(ret_text, line.start, (size_t)(line.next - line.start));
    struct heap_line stack;
    while (text_next(&line)) {
        if (line.length > 0 && line_parse(line.start, line.length, &stack)) {
            stack_comment(&line, &stack, ret_text);
        }
    }
    if (parsed.is_cut) {
        const int64_t *cut = parsed.cut;
        buffer_printf(
            ret_text,
            "# The text was cut at 1 MiB. Not shown, in smaller stacks: "
            "%lld: %lld [%lld: %lld]\n",
            (long long)cut[HEAP_INUSE_OBJECTS], (long long)cut[HEAP_INUSE_SPACE],
            (long long)cut[HEAP_ALLOC_OBJECTS], (long long)cut[HEAP_ALLOC_SPACE]);
    }
    buffer_append(ret_text, "\n", 1);
    buffer_text(ret_text, line.start);
    probe_heap_text_release(&parsed);
    return ret_text->error;
}
