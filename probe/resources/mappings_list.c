/*
 * The mappings: the lines of /proc/self/maps (proc(5)), in one reading. The kernel
 * joins neighbours that are alike, so one line may be of several makers. Then its bytes
 * are split; it counts for the one with most of them.
 *
 * The text and the list of the probe's own ranges are in memory that is kept: to map it
 * for each list would change what is listed.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probe/reach/heap_mappings.h"
#include "probe/reach/maps_text.h"
#include "probe/reach/ranges.h"
#include "probe/recorder/own_memory.h"
#include "probe/recorder/recorder.h"
#include "probe/resources/mapping_notes.h"
#include "probe/resources/resource_list.h"
#include "probe/stacks/maps.h"

#define TEXT_BYTES_LEAST ((size_t)64 * 1024)
#define OWN_LEAST 512
#define EXAMPLE_BYTES 512

static pthread_mutex_t reading = PTHREAD_MUTEX_INITIALIZER;

/* Of the reading; the mutex protects them. */
static struct {
    char *text;
    size_t text_bytes;
    struct range *own; /* the probe's, sorted */
    size_t own_room;
    size_t own_count;
    uint32_t begun; /* probe_resource_now */
} now;

/* ---- Reading ---- */

static int memory_grow(void **memory, size_t bytes, size_t new_bytes)
{
    void *larger = probe_own_memory_take(new_bytes);
    if (larger == NULL) {
        return -ENOMEM;
    }
    probe_own_memory_give(*memory, bytes);
    *memory = larger;
    return 0;
}

static int text_grow(void)
{
    size_t bytes = now.text_bytes == 0 ? TEXT_BYTES_LEAST : now.text_bytes * 2;
    void *text = now.text;
    int error = memory_grow(&text, now.text_bytes, bytes);
    now.text = text;
    now.text_bytes = error == 0 ? bytes : now.text_bytes;
    return error;
}

static int own_grow(void)
{
    size_t room = now.own_room == 0 ? OWN_LEAST : now.own_room * 2;
    void *own = now.own;
    int error =
        memory_grow(&own, now.own_room * sizeof(*now.own), room * sizeof(*now.own));
    now.own = own;
    now.own_room = error == 0 ? room : now.own_room;
    return error;
}

static int range_lower(const void *one, const void *other)
{
    uintptr_t first = ((const struct range *)one)->start;
    uintptr_t second = ((const struct range *)other)->start;
    return first < second ? -1 : first > second;
}

/* Reads the mappings and the probe's ranges, all at about one moment. */
static int now_read(void)
{
    int error = now.text == NULL ? text_grow() : 0;
    error = error == 0 && now.own == NULL ? own_grow() : error;
    while (error == 0) {
        now.begun = probe_resource_now();
        ssize_t got = probe_maps_read_text(now.text, now.text_bytes);
        now.own_count = probe_own_memory_copy(now.own, now.own_room);
        if (got == -E2BIG) {
            error = text_grow();
        } else if (got < 0) {
            error = (int)got;
        } else if (now.own_count > now.own_room) {
            error = own_grow();
        } else {
            qsort(now.own, now.own_count, sizeof(*now.own), range_lower);
            return 0;
        }
    }
    return error;
}

/* ---- What a line is ---- */

static bool begins(const struct maps_line *line, const char *text)
{
    size_t bytes = strlen(text);
    return line->path_bytes >= bytes && memcmp(line->path, text, bytes) == 0;
}

static bool is_same_file(const struct maps_line *one, const struct maps_line *other)
{
    return one->path_bytes == other->path_bytes &&
           memcmp(one->path, other->path, one->path_bytes) == 0;
}

/* Whether the file, of which this is the first line, is mapped as code: the lines of a
 * library follow each other. */
static bool is_code(const struct maps_line *first, const char *next)
{
    struct maps_line line = *first;
    do {
        if (line.access[2] == 'x') {
            return true;
        }
    } while ((next = probe_maps_line_read(next, &line)) != NULL &&
             is_same_file(&line, first));
    return false;
}

/* The kinds by what the kernel shows in place of a path. */
static const struct {
    const char *begin;
    const char *kind;
} kinds[] = {
    {"[heap]", "heap"},         {"[stack", "stack"},       {"[v", "vdso"},
    {"[anon_shmem:", "shared"}, {"[", "anonymous"},        {"/dev/zero", "shared"},
    {"/dev/shm/", "shared"},    {"/SYSV", "shared"},       {"/memfd:", "memfd"},
    {"/dev/", "device"},        {"anon_inode:", "device"},
};

static const char *kind_of(const struct maps_line *line, bool code)
{
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (begins(line, kinds[i].begin)) {
            return kinds[i].kind;
        }
    }
    if (line->path_bytes > 0) {
        return code ? "library" : "file";
    }
    return line->access[3] == 's' ? "shared" : "anonymous";
}

/* What came with the program, and grows without anybody's call. */
static bool is_at_start(const struct maps_line *line)
{
    return begins(line, "[stack") || begins(line, "[v");
}

/* Finds the file of this code, if that is the library for other programs. Returns
 * whether it is. */
static bool own_file_find(struct maps_line *ret_line)
{
    uintptr_t here = (uintptr_t)own_file_find;
    const char *at = now.text;
    while (probe_recorder_skipped(&here, 1) == 1 &&
           (at = probe_maps_line_read(at, ret_line)) != NULL) {
        if (here >= ret_line->range.start && here < ret_line->range.end) {
            return true;
        }
    }
    return false;
}

/* ---- Who made it ---- */

/* A part of a line of one maker. */
struct part {
    struct range range;
    struct resource_item item;
};

/* Who made what is at `address`, up to where that changes; at most up to `end`. */
static struct part part_at(uintptr_t address, uintptr_t end, const char *kind)
{
    struct part part = {{address, end}, {.maker = MADE_UNSEEN, .kind = kind}};
    size_t at = probe_ranges_from(now.own, now.own_count, address);
    if (at < now.own_count && now.own[at].start <= address) {
        part.item.maker = MADE_BY_PROBE;
        part.range.end = now.own[at].end < end ? now.own[at].end : end;
        return part;
    }
    if (at < now.own_count && now.own[at].start < end) {
        part.range.end = now.own[at].start;
    }
    struct range_note note;
    if (!probe_mapping_find(address, &note)) {
        return part;
    }
    uintptr_t change = note.range.start > address ? note.range.start : note.range.end;
    part.range.end = change < part.range.end ? change : part.range.end;
    /* A note from after the reading is of another mapping. */
    if (note.range.start <= address && note.note.made <= now.begun) {
        part.item.maker = note.note.stack == MAPPING_BY_PROBE   ? MADE_BY_PROBE
                          : note.note.stack == MAPPING_AT_START ? MADE_AT_START
                                                                : MADE_BY_STACK;
        part.item.note = note.note;
    }
    return part;
}

/* What the allocator has mapped for itself is the heap, as far as it is that. */
static void heap_find(struct part *part)
{
    struct range heap = probe_heap_mapping_behind(part->range.start);
    if (part->item.maker != MADE_UNSEEN || heap.end == 0 ||
        heap.start >= part->range.end) {
        return;
    }
    if (heap.start > part->range.start) {
        part->range.end = heap.start;
        return;
    }
    part->range.end = heap.end < part->range.end ? heap.end : part->range.end;
    part->item.kind = "heap";
}

/* "7f12c4000000-7f12c4021000 rw-p 132 KiB /path"; "8 of 132 KiB" if it is a part. */
static void part_add(struct resource_list *list, const struct maps_line *line,
                     struct part *part, bool counts)
{
    char example[EXAMPLE_BYTES];
    char share[32] = "";
    size_t whole = line->range.end - line->range.start;
    size_t bytes = part->range.end - part->range.start;
    part->item.values[0] = counts ? 1 : 0;
    part->item.values[1] = (int64_t)bytes;
    part->item.is_part = !counts;
    if (bytes != whole) {
        snprintf(share, sizeof(share), "%zu of ", bytes / 1024);
    }
    snprintf(example, sizeof(example), "%lx-%lx %.4s %s%zu KiB %.*s",
             (unsigned long)line->range.start, (unsigned long)line->range.end,
             line->access, share, whole / 1024, (int)line->path_bytes, line->path);
    probe_resource_list_add(list, &part->item, example);
}

static void line_add(struct resource_list *list, const struct maps_line *line,
                     enum resource_maker maker, const char *kind)
{
    struct part largest = {0};
    struct part part = {.range = line->range, .item = {.maker = maker, .kind = kind}};
    for (uintptr_t at = line->range.start; at < line->range.end; at = part.range.end) {
        if (maker == MADE_UNSEEN) {
            part = part_at(at, line->range.end, kind);
            heap_find(&part);
        }
        struct part smaller = part;
        if (part.range.end - part.range.start >
            largest.range.end - largest.range.start) {
            smaller = largest;
            largest = part;
        }
        if (smaller.range.end != 0) {
            part_add(list, line, &smaller, false);
        }
    }
    part_add(list, line, &largest, true);
}

/* ---- All of them ---- */

static enum resource_maker maker_of(const struct maps_line *line,
                                    const struct maps_line *own_file)
{
    if (own_file->path != NULL && is_same_file(line, own_file)) {
        return MADE_BY_PROBE;
    }
    return is_at_start(line) ? MADE_AT_START : MADE_UNSEEN;
}

static void lines_add(struct resource_list *list)
{
    struct maps_line own_file = {0};
    struct maps_line file = {0}; /* the first line of a file */
    struct maps_line line;
    bool code = false;
    uintptr_t end = 0; /* of the line before */
    const char *next = now.text;
    if (!own_file_find(&own_file)) {
        own_file.path = NULL;
    }
    while ((next = probe_maps_line_read(next, &line)) != NULL) {
        probe_mapping_sweep((struct range){end, line.range.start}, now.begun);
        end = line.range.end;
        if (file.path == NULL || !is_same_file(&line, &file)) {
            file = line;
            code = is_code(&line, next);
        }
        line_add(list, &line, maker_of(&line, &own_file), kind_of(&line, code));
    }
}

static void remark(struct resource_list *list)
{
    buffer_printf(&list->remarks,
                  "the kernel lists %lld; %lld made unseen, %lld the probe's own",
                  (long long)list->totals[0], (long long)list->unseen[0],
                  (long long)list->probes[0]);
    if (probe_mapping_missed() > 0) {
        buffer_printf(&list->remarks, "; %llu could not be noted",
                      (unsigned long long)probe_mapping_missed());
    }
}

static int mappings_list(struct resource_list *list)
{
    pthread_mutex_lock(&reading);
    int error = now_read();
    if (error == 0) {
        lines_add(list);
        remark(list);
    }
    pthread_mutex_unlock(&reading);
    return error;
}

const struct resource_subject probe_mappings = {
    .name = "mmaps",
    .values = {{"mappings", "count"}, {"space", "bytes"}},
    .list = mappings_list,
};
