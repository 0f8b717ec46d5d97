/*
 * Encodes strings, functions, locations and mappings, and looks up their ids in hash
 * tables.
 */
#include "probe/proto/dictionary.h"

#include <string.h>

#include "probe/proto/profile_fields.h"
#include "probe/proto/wire.h"
#include "probe/symbols/symbols.h"

uint32_t probe_dictionary_string(struct dictionary *dictionary, const char *text)
{
    if (text == NULL || text[0] == '\0') {
        return 0;
    }
    probe_wire_bytes(&dictionary->strings, PROFILE_STRING_TABLE, text, strlen(text));
    return dictionary->strings_count++;
}

/* The id that `table` holds for the key; NULL when memory is short. */
static uint32_t *id_at(struct dictionary *dictionary, struct table *table, uint64_t key)
{
    uint32_t *id = probe_table_at(table, key);
    if (id == NULL) {
        dictionary->failed = true;
    }
    return id;
}

/* The same file name comes again and again, always as the same pointer. */
static uint32_t file_add(struct dictionary *dictionary, const char *file)
{
    if (file == NULL) {
        return 0;
    }
    uint32_t *id = id_at(dictionary, &dictionary->file_ids, (uintptr_t)file);
    if (id == NULL) {
        return 0;
    }
    if (*id == 0) {
        *id = probe_dictionary_string(dictionary, file);
    }
    return *id;
}

static void mappings_write(struct dictionary *dictionary)
{
    size_t number = 0;
    const struct module *module = NULL;
    while ((module = probe_symbols_module_next(&number)) != NULL) {
        uint32_t *id = id_at(dictionary, &dictionary->module_ids, module->start);
        if (id == NULL) {
            return;
        }
        *id = ++dictionary->modules_count;
        struct buffer *message = &dictionary->message;
        probe_wire_number(message, MAPPING_ID, *id);
        probe_wire_number(message, MAPPING_START, module->start);
        probe_wire_number(message, MAPPING_LIMIT, module->end);
        probe_wire_number(message, MAPPING_OFFSET, module->offset);
        probe_wire_number(message, MAPPING_FILE,
                          probe_dictionary_string(dictionary, module->path));
        probe_wire_number(message, MAPPING_BUILD_ID,
                          probe_dictionary_string(dictionary, module->build_id));
        /* Set for every module, even where little was found: otherwise a reader such as
         * pprof looks for symbols again, in its local files or in this process. */
        probe_wire_number(message, MAPPING_HAS_FUNCTIONS, 1);
        probe_wire_number(message, MAPPING_HAS_FILENAMES, 1);
        probe_wire_number(message, MAPPING_HAS_LINES, 1);
        probe_wire_number(message, MAPPING_HAS_INLINES, 1);
        probe_wire_message(&dictionary->mappings, PROFILE_MAPPING, message);
    }
}

/* Both names are numbers of strings. */
static uint32_t function_write(struct dictionary *dictionary, uint32_t name,
                               uint32_t system_name, uint32_t file)
{
    struct buffer *message = &dictionary->inner;
    uint32_t id = ++dictionary->functions_count;
    probe_wire_number(message, FUNCTION_ID, id);
    probe_wire_number(message, FUNCTION_NAME, name);
    probe_wire_number(message, FUNCTION_SYSTEM_NAME, system_name);
    probe_wire_number(message, FUNCTION_FILE, file);
    probe_wire_message(&dictionary->functions, PROFILE_FUNCTION, message);
    return id;
}

uint32_t probe_dictionary_function(struct dictionary *dictionary, const char *name,
                                   uint32_t file)
{
    /* A name that is also the system's is taken for one of C++ that is yet to be made
     * readable, if it has a "::" in it: go tool pprof then leaves out all brackets. */
    uint32_t number = probe_dictionary_string(dictionary, name);
    return function_write(dictionary, number, 0, file);
}

/* Inlining can put a line of another file into a function. So a function is written
 * once for each file. */
static uint32_t function_add(struct dictionary *dictionary, const struct symbol *symbol)
{
    uint32_t file = file_add(dictionary, symbol->file);
    uint32_t *id = id_at(dictionary, &dictionary->function_ids,
                         probe_table_mix(symbol->start) + file);
    if (id == NULL) {
        return 0;
    }
    if (*id == 0) {
        uint32_t name = probe_dictionary_string(dictionary, symbol->function);
        uint32_t system_name =
            symbol->system_name == symbol->function
                ? name
                : probe_dictionary_string(dictionary, symbol->system_name);
        *id = function_write(dictionary, name, system_name, file);
    }
    return *id;
}

uint32_t probe_dictionary_place(struct dictionary *dictionary, uint32_t mapping,
                                uintptr_t address, uint32_t function, unsigned line)
{
    uint32_t id = ++dictionary->locations_count;
    struct buffer *message = &dictionary->message;
    probe_wire_number(&dictionary->inner, LINE_FUNCTION_ID, function);
    probe_wire_number(&dictionary->inner, LINE_LINE, line);
    probe_wire_number(message, LOCATION_ID, id);
    probe_wire_number(message, LOCATION_MAPPING_ID, mapping);
    probe_wire_number(message, LOCATION_ADDRESS, address);
    probe_wire_message(message, LOCATION_LINE, &dictionary->inner);
    probe_wire_message(&dictionary->locations, PROFILE_LOCATION, message);
    return id;
}

uint32_t probe_dictionary_location(struct dictionary *dictionary, uintptr_t address)
{
    uint32_t *id = id_at(dictionary, &dictionary->location_ids, address);
    if (id == NULL) {
        return 0;
    }
    if (*id == 0) {
        struct symbol symbol;
        uint32_t mapping = 0;
        if (probe_symbols_find(address, &symbol)) {
            const struct module *module = probe_symbols_module(address);
            uint32_t *known =
                module == NULL
                    ? NULL
                    : id_at(dictionary, &dictionary->module_ids, module->start);
            mapping = known == NULL ? 0 : *known;
        }
        uint32_t function = function_add(dictionary, &symbol);
        *id =
            probe_dictionary_place(dictionary, mapping, address, function, symbol.line);
    }
    return *id;
}

void probe_dictionary_init(struct dictionary *dictionary)
{
    probe_wire_bytes(&dictionary->strings, PROFILE_STRING_TABLE, "", 0);
    dictionary->strings_count = 1;
    mappings_write(dictionary);
}

void probe_dictionary_release(struct dictionary *dictionary)
{
    struct buffer *const buffers[] = {
        &dictionary->mappings, &dictionary->locations, &dictionary->functions,
        &dictionary->strings,  &dictionary->message,   &dictionary->inner,
    };
    struct table *const tables[] = {
        &dictionary->location_ids,
        &dictionary->function_ids,
        &dictionary->file_ids,
        &dictionary->module_ids,
    };
    for (size_t i = 0; i < sizeof(buffers) / sizeof(buffers[0]); i++) {
        buffer_release(buffers[i]);
    }
    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
        probe_table_release(tables[i]);
    }
    *dictionary = (struct dictionary){0};
}

size_t probe_dictionary_bytes(const struct dictionary *dictionary)
{
    return dictionary->locations.length + dictionary->functions.length +
           dictionary->strings.length;
}

struct dictionary_mark probe_dictionary_mark(const struct dictionary *dictionary)
{
    return (struct dictionary_mark){
        .strings = dictionary->strings.length,
        .functions = dictionary->functions.length,
        .locations = dictionary->locations.length,
        .strings_count = dictionary->strings_count,
        .functions_count = dictionary->functions_count,
        .locations_count = dictionary->locations_count,
    };
}

void probe_dictionary_cut(struct dictionary *dictionary,
                          const struct dictionary_mark *mark)
{
    dictionary->strings.length = mark->strings;
    dictionary->functions.length = mark->functions;
    dictionary->locations.length = mark->locations;
    dictionary->strings_count = mark->strings_count;
    dictionary->functions_count = mark->functions_count;
    dictionary->locations_count = mark->locations_count;
}

static void part_append(struct dictionary *dictionary, struct buffer *profile,
                        const struct buffer *part)
{
    dictionary->failed |= part->error != 0;
    buffer_append(profile, part->data, part->length);
}

void probe_dictionary_append(struct dictionary *dictionary, struct buffer *profile)
{
    part_append(dictionary, profile, &dictionary->mappings);
    part_append(dictionary, profile, &dictionary->locations);
    part_append(dictionary, profile, &dictionary->functions);
    part_append(dictionary, profile, &dictionary->strings);
}
