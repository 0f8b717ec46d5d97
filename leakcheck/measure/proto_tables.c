/*
 * The entries may come in any order, so all are collected first. Then each location
 * gets its frames.
 *
 * A stack is compared between two profiles by the addresses of its places. A Java or
 * Node program has no addresses; there the key is a hash of function, file and line.
 * Its highest bit is set, so it is in no mapping.
 */
#include "leakcheck/measure/proto_tables.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LINE_NUMBER_MAX 100000000
#define KEY_HASHED (UINT64_C(1) << 63)

static int list_add(struct proto_list *list, struct wire message)
{
    if (list->count == PROTO_ITEMS_MAX) {
        return -E2BIG;
    }
    if (list->count == list->capacity) {
        size_t capacity = list->capacity == 0 ? 64 : 2 * list->capacity;
        void *grown = reallocarray(list->items, capacity, sizeof(*list->items));
        if (grown == NULL) {
            return -ENOMEM;
        }
        list->items = grown;
        list->capacity = capacity;
    }
    list->items[list->count++] = (struct proto_item){.message = message};
    return 0;
}

static struct proto_list *list_of(struct proto_tables *tables, uint64_t field)
{
    switch (field) {
    case PROTO_SAMPLE_TYPE:
        return &tables->sample_types;
    case PROTO_MAPPING:
        return &tables->mappings;
    case PROTO_LOCATION:
        return &tables->locations;
    case PROTO_FUNCTION:
        return &tables->functions;
    case PROTO_STRING:
        return &tables->strings;
    default:
        return NULL;
    }
}

static int lists_collect(struct proto_tables *tables, struct wire whole)
{
    struct wire_field field;
    while (wire_next(&whole, &field)) {
        struct proto_list *list = list_of(tables, field.field);
        if (list != NULL) {
            int error = field.is_number ? -EPROTO : list_add(list, field.bytes);
            if (error < 0) {
                return error;
            }
        } else if (field.field == PROTO_PERIOD_TYPE) {
            tables->period_type = field.bytes;
        } else if (field.field == PROTO_PERIOD) {
            tables->period = (int64_t)field.number;
        }
    }
    return whole.bad ? -EPROTO : 0;
}

static int item_compare(const void *left, const void *right)
{
    uint64_t a = ((const struct proto_item *)left)->id;
    uint64_t b = ((const struct proto_item *)right)->id;
    return a == b ? 0 : a < b ? -1 : 1;
}

/* Reads the ids of a table's entries, which are in their field 1, and sorts by them. */
static int list_sort(struct proto_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        struct wire message = list->items[i].message;
        struct wire_field field;
        while (wire_next(&message, &field)) {
            if (field.field == 1) {
                list->items[i].id = field.number;
            }
        }
        if (message.bad) {
            return -EPROTO;
        }
    }
    if (list->count > 0) {
        qsort(list->items, list->count, sizeof(*list->items), item_compare);
    }
    return 0;
}

static const struct proto_item *list_find(const struct proto_list *list, uint64_t id)
{
    struct proto_item key = {.id = id};
    return list->count == 0
               ? NULL
               : bsearch(&key, list->items, list->count, sizeof(key), item_compare);
}

int proto_text(struct proto_tables *tables, struct arena *arena, uint64_t index,
               const char **ret_text)
{
    if (index >= tables->strings.count) {
        return -EPROTO;
    }
    if (tables->texts[index] == NULL) {
        struct wire bytes = tables->strings.items[index].message;
        tables->texts[index] =
            arena_text(arena, bytes.at, (size_t)(bytes.end - bytes.at));
    }
    if (tables->texts[index] == NULL) {
        return -ENOMEM;
    }
    *ret_text = tables->texts[index];
    return 0;
}

/* Reads the name and the file of a function into `frame`. If it has no name, the name
 * that the linker sees is taken. */
static int function_read(struct proto_tables *tables, struct arena *arena, uint64_t id,
                         struct frame *frame)
{
    enum { NAME = 2, SYSTEM_NAME = 3, FILENAME = 4, FIELDS };
    const struct proto_item *item = list_find(&tables->functions, id);
    if (item == NULL) {
        return id == 0 ? 0 : -EPROTO;
    }
    const char *texts[FIELDS] = {"", "", "", "", ""};
    struct wire message = item->message;
    struct wire_field field;
    while (wire_next(&message, &field)) {
        if (field.field >= NAME && field.field < FIELDS) {
            int error = proto_text(tables, arena, field.number, &texts[field.field]);
            if (error < 0) {
                return error;
            }
        }
    }
    const char *name = texts[NAME][0] != '\0' ? texts[NAME] : texts[SYSTEM_NAME];
    frame->function = name[0] == '\0' ? NULL : name;
    frame->file = texts[FILENAME][0] == '\0' ? NULL : texts[FILENAME];
    tables->is_go = tables->is_go || strncmp(name, "runtime.", 8) == 0;
    return 0;
}

/* Reads one line of a location: a function and a line number. */
static int line_read(struct proto_tables *tables, struct arena *arena,
                     struct wire message, struct frame *frame)
{
    enum { FUNCTION = 1, LINE = 2 };
    struct wire_field field;
    uint64_t line = 0;
    int error = 0;
    while (error == 0 && wire_next(&message, &field)) {
        if (field.field == FUNCTION) {
            error = function_read(tables, arena, field.number, frame);
        } else if (field.field == LINE) {
            line = field.number;
        }
    }
    if (frame->file != NULL && line <= LINE_NUMBER_MAX) {
        frame->line = (unsigned)line;
    }
    return error == 0 && message.bad ? -EPROTO : error;
}

/* One of two halves of a hash (FNV-1a with 32 bits); no step overflows. */
static uint64_t hash_byte(uint64_t hash, unsigned char byte)
{
    return ((hash ^ byte) * 16777619) & UINT32_MAX;
}

static void hash_text(uint64_t hash[2], const char *text)
{
    do {
        unsigned char byte = (unsigned char)*text;
        hash[0] = hash_byte(hash[0], byte);
        hash[1] = hash_byte(hash[1], (unsigned char)~byte);
    } while (*text++ != '\0');
}

uint64_t proto_text_key(const char *text)
{
    uint64_t hash[2] = {2166136261, 50331653};
    hash_text(hash, text);
    return KEY_HASHED | hash[0] << 31 | hash[1] >> 1;
}

static uint64_t place_key(const struct proto_place *place)
{
    if (place->address != 0) {
        /* The caller's address, as in the other formats: after the call. */
        return place->address < KEY_HASHED ? place->address + 1 : place->address;
    }
    uint64_t hash[2] = {2166136261, 50331653};
    for (size_t i = 0; i < place->frame_count; i++) {
        const struct frame *frame = &place->frames[i];
        unsigned line = frame->line;
        hash_text(hash, frame->function == NULL ? "" : frame->function);
        hash_text(hash, frame->file == NULL ? "" : frame->file);
        for (int byte = 0; byte < 4; byte++, line >>= 8) {
            hash[0] = hash_byte(hash[0], line & 0xff);
            hash[1] = hash_byte(hash[1], ~line & 0xff);
        }
    }
    return KEY_HASHED | hash[0] << 31 | hash[1] >> 1;
}

/* Numbers of the fields in the message Location. */
enum location_field { LOCATION_ADDRESS = 3, LOCATION_LINE = 4 };

/* Reads the address of a location, and counts its lines. */
static int location_measure(struct wire message, uint64_t *ret_address,
                            size_t *ret_lines)
{
    struct wire_field field;
    *ret_address = 0;
    *ret_lines = 0;
    while (wire_next(&message, &field)) {
        if (field.field == LOCATION_ADDRESS) {
            *ret_address = field.number;
        }
        *ret_lines += field.field == LOCATION_LINE;
    }
    return message.bad ? -EPROTO : 0;
}

/* Reads a location and its lines. `*lines_left` is how many all locations may have. */
static int place_read(struct proto_tables *tables, struct arena *arena,
                      struct wire message, size_t *lines_left,
                      struct proto_place *place)
{
    size_t lines;
    int error = location_measure(message, &place->address, &lines);
    if (error < 0 || lines > *lines_left) {
        return error < 0 ? error : -E2BIG;
    }
    *lines_left -= lines;
    place->frame_count = lines == 0 ? 1 : lines;
    place->frames = arena_alloc(arena, place->frame_count * sizeof(*place->frames));
    if (place->frames == NULL) {
        return -ENOMEM;
    }
    struct wire_field field;
    struct frame *frame = place->frames;
    frame->address = place->address;
    while (wire_next(&message, &field)) {
        if (field.field != LOCATION_LINE) {
            continue;
        }
        frame->address = place->address;
        error = line_read(tables, arena, field.bytes, frame);
        if (error < 0) {
            return error;
        }
        place->named = place->named || frame->function != NULL;
        frame++;
    }
    place->key = place_key(place);
    return 0;
}

int proto_tables_read(struct proto_tables *tables, struct wire whole,
                      struct arena *arena)
{
    int error = lists_collect(tables, whole);
    error = error == 0 ? list_sort(&tables->functions) : error;
    error = error == 0 ? list_sort(&tables->locations) : error;
    if (error < 0) {
        return error;
    }
    tables->texts = calloc(tables->strings.count + 1, sizeof(*tables->texts));
    tables->places = calloc(tables->locations.count + 1, sizeof(*tables->places));
    if (tables->texts == NULL || tables->places == NULL) {
        return -ENOMEM;
    }
    size_t lines_left = PROFILE_FRAMES_MAX;
    for (size_t i = 0; i < tables->locations.count && error == 0; i++) {
        error = place_read(tables, arena, tables->locations.items[i].message,
                           &lines_left, &tables->places[i]);
    }
    return error;
}

const struct proto_place *proto_place(const struct proto_tables *tables, uint64_t id)
{
    const struct proto_item *item = list_find(&tables->locations, id);
    return item == NULL ? NULL : &tables->places[item - tables->locations.items];
}

void proto_tables_release(struct proto_tables *tables)
{
    free(tables->sample_types.items);
    free(tables->mappings.items);
    free(tables->locations.items);
    free(tables->functions.items);
    free(tables->strings.items);
    free(tables->texts);
    free(tables->places);
    *tables = (struct proto_tables){0};
}
