#include "probe/reach/holders.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/utf8.h"
#include "probe/process/descriptors.h"
#include "probe/reach/maps_text.h"
#include "probe/symbols/symbols.h"

#define NAME_BYTES 512

struct naming {
    struct holders *holders;
    const struct shared_copy *copy;
    const struct process_parts *parts;

    /* The last variable and the last mapping: the next root is often there too. */
    uintptr_t start;
    uintptr_t end;
    uint32_t holder;

    /* The last thread. */
    uint32_t thread;
    char thread_name[32];
};

const struct holder *probe_holder_at(const struct holders *holders, uint32_t number)
{
    return (const struct holder *)(const void *)holders->entries.data + number;
}

const char *probe_holder_text(const struct holders *holders, uint32_t number)
{
    return holders->texts.data + probe_holder_at(holders, number)->text;
}

static uint64_t text_hash(const char *text)
{
    uint64_t hash = 0xcbf29ce484222325U; /* FNV-1a */
    for (; *text != '\0'; text++) {
        hash = (hash ^ (unsigned char)*text) * 0x100000001b3U;
    }
    return hash;
}

static size_t text_keep(struct holders *holders, const char *text)
{
    size_t offset = holders->texts.length;
    buffer_append(&holders->texts, text, strlen(text) + 1);
    if (holders->texts.error == 0) {
        utf8_clean(holders->texts.data + offset, strlen(text));
    }
    return offset;
}

/* The number of the holder with this name; a new one if there is none. */
static uint32_t holder_add(struct holders *holders, const char *text, const char *file,
                           unsigned line)
{
    uint32_t *number = probe_table_at(&holders->index, text_hash(text));
    if (number == NULL) {
        return 0;
    }
    if (*number == 0) {
        if (holders->texts.length == 0) {
            text_keep(holders, ""); /* offset 0 is no text */
        }
        struct holder holder = {.text = text_keep(holders, text), .line = line};
        holder.file = file == NULL ? 0 : text_keep(holders, file);
        buffer_append(&holders->entries, &holder, sizeof(holder));
        *number = ++holders->count;
    }
    return *number - 1;
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash == NULL ? path : slash + 1;
}

/* "global signatures (leaky/slice_prefix.c:23)". */
static uint32_t variable_add(struct holders *holders, const char *kind,
                             const struct symbol_of_data *variable)
{
    char text[NAME_BYTES];
    if (variable->file_in_tree == NULL) {
        snprintf(text, sizeof(text), "%s %.200s", kind, variable->name);
    } else {
        snprintf(text, sizeof(text), "%s %.200s (%.250s:%u)", kind, variable->name,
                 variable->file_in_tree, variable->line);
    }
    return holder_add(holders, text, variable->file_in_tree, variable->line);
}

/* "library libcrypto.so.3", by an address in its code. */
static uint32_t library_add(struct holders *holders, uintptr_t code)
{
    char text[NAME_BYTES];
    const struct module *module = probe_symbols_module(code);
    snprintf(text, sizeof(text), "library %.400s",
             module == NULL ? "that is gone" : base_name(module->path));
    return holder_add(holders, text, NULL, 0);
}

/* ---- Data ---- */

static const struct data_segment *segment_find(const struct process_parts *parts,
                                               uintptr_t address)
{
    for (size_t i = 0; i < parts->segments_count; i++) {
        if (address >= parts->segments[i].start && address < parts->segments[i].end) {
            return &parts->segments[i];
        }
    }
    return NULL;
}

/* The name of a place in the data of a program or library. A library without debug
 * information is named as a whole: its variables would tell nobody anything. */
static uint32_t global_name(struct naming *naming, uintptr_t place)
{
    const struct data_segment *segment = segment_find(naming->parts, place);
    struct symbol_of_data variable;
    bool found = segment != NULL &&
                 probe_symbols_find_data(segment->code, false, place, &variable);
    naming->start = naming->end = 0;
    if (found && (segment->program || variable.line > 0)) {
        naming->start = variable.start;
        naming->end = variable.start + variable.bytes;
        return variable_add(naming->holders, "global", &variable);
    }
    if (segment == NULL || !segment->program) {
        return library_add(naming->holders, segment == NULL ? 0 : segment->code);
    }
    return holder_add(naming->holders, "global without a name", NULL, 0);
}

/* ---- Thread-local variables ---- */

static bool is_program(const struct process_parts *parts, uintptr_t code)
{
    for (size_t i = 0; i < parts->segments_count; i++) {
        if (parts->segments[i].program && parts->segments[i].code == code) {
            return true;
        }
    }
    return false;
}

/* The variable that is `offset` bytes after the start of those of its file: as for
 * global_name. */
static uint32_t local_of_file(struct naming *naming, uintptr_t code, uintptr_t offset)
{
    struct symbol_of_data variable;
    bool program = is_program(naming->parts, code);
    if (probe_symbols_find_data(code, true, offset, &variable) &&
        (program || variable.line > 0)) {
        return variable_add(naming->holders, "thread-local", &variable);
    }
    if (!program) {
        return library_add(naming->holders, code);
    }
    return holder_add(naming->holders, "thread-local without a name", NULL, 0);
}

static uint32_t local_name(struct naming *naming, const struct reach_root *root)
{
    const struct process_parts *parts = naming->parts;
    if (root->code != 0) {
        return local_of_file(naming, root->code, root->place);
    }
    uintptr_t below = naming->copy->threads[root->thread].pointer - root->place;
    for (size_t i = 0; i < parts->tls_count; i++) {
        const struct tls_part *part = &parts->tls[i];
        if (below <= part->below && below + part->bytes > part->below) {
            return local_of_file(naming, part->code, part->below - below);
        }
    }
    return holder_add(naming->holders, "thread-local without a name", NULL, 0);
}

/* ---- Threads ---- */

/* Reads a thread's name, which is "" if it has ended since. */
static void thread_name_read(pid_t tid, char *ret_name, size_t size)
{
    char path[64];
    snprintf(path, sizeof(path), "self/task/%d/comm", (int)tid);
    int fd = probe_proc_open(path, O_RDONLY);
    ssize_t bytes = fd < 0 ? -1 : read(fd, ret_name, size - 1);
    ret_name[bytes < 0 ? 0 : bytes] = '\0';
    ret_name[strcspn(ret_name, "\n")] = '\0';
    if (fd >= 0) {
        close(fd);
    }
}

/* The length of a function's name without what gcc adds to that of a variant of it. */
static int source_name_length(const char *function)
{
    static const char *const variants[] = {".constprop.", ".isra.", ".part.", ".cold"};
    size_t length = strlen(function);
    for (size_t i = 0; i < sizeof(variants) / sizeof(variants[0]); i++) {
        const char *found = strstr(function, variants[i]);
        if (found != NULL && (size_t)(found - function) < length) {
            length = (size_t)(found - function);
        }
    }
    return length > 400 ? 400 : (int)length;
}

/* What threads that have ended leave is the C library's. */
static uint32_t ended_name(struct naming *naming)
{
    const struct process_parts *parts = naming->parts;
    for (size_t i = 0; i < parts->segments_count; i++) {
        if (parts->segments[i].libc) {
            return library_add(naming->holders, parts->segments[i].code);
        }
    }
    return holder_add(naming->holders, "thread that has ended", NULL, 0);
}

static uint32_t thread_name(struct naming *naming, const struct reach_root *root)
{
    char text[NAME_BYTES];
    struct symbol symbol;
    if (root->thread == REACH_NONE) {
        return ended_name(naming);
    }
    if (naming->thread != root->thread) {
        naming->thread = root->thread;
        thread_name_read(naming->copy->threads[root->thread].tid, naming->thread_name,
                         sizeof(naming->thread_name));
    }
    if (root->code == 0) {
        snprintf(text, sizeof(text), "thread \"%s\"", naming->thread_name);
        return holder_add(naming->holders, text, NULL, 0);
    }
    probe_symbols_find(root->code, &symbol);
    snprintf(text, sizeof(text), "thread \"%s\": %.*s", naming->thread_name,
             source_name_length(symbol.function), symbol.function);
    return holder_add(naming->holders, text, NULL, 0);
}

/* ---- Other memory ---- */

static uint32_t mapping_name(struct naming *naming, uintptr_t place)
{
    char text[NAME_BYTES] = "mapping anonymous";
    struct maps_line line;
    const char *next = naming->copy->maps;
    naming->start = naming->end = 0;
    while ((next = probe_maps_line_read(next, &line)) != NULL) {
        if (place < line.range.start || place >= line.range.end) {
            continue;
        }
        naming->start = line.range.start;
        naming->end = line.range.end;
        if (line.path_bytes > 0) {
            snprintf(text, sizeof(text), "mapping %.*s", (int)line.path_bytes,
                     line.path);
        }
        break;
    }
    return holder_add(naming->holders, text, NULL, 0);
}

static uint32_t root_name(struct naming *naming, const struct reach_root *root)
{
    char text[NAME_BYTES];
    switch (root->kind) {
    case REACH_THREAD_LOCAL:
        return local_name(naming, root);
    case REACH_STACK:
    case REACH_THREAD:
        return thread_name(naming, root);
    case REACH_KERNEL:
        snprintf(text, sizeof(text), "kernel: %s", (const char *)root->code);
        return holder_add(naming->holders, text, NULL, 0);
    default:
        break;
    }
    if (root->place < naming->start || root->place >= naming->end) {
        naming->holder = root->kind == REACH_GLOBAL ? global_name(naming, root->place)
                                                    : mapping_name(naming, root->place);
    }
    return naming->holder;
}

int probe_holders_name(struct shared_copy *copy, const struct process_parts *parts,
                       void *argument)
{
    struct holders *holders = argument;
    struct naming naming = {
        .holders = holders, .copy = copy, .parts = parts, .thread = REACH_NONE};
    probe_symbols_load();
    for (uint32_t i = 0; i < copy->roots_count; i++) {
        struct reach_root *root = &copy->roots[i];
        if (i > 0 && root->kind != root[-1].kind) {
            naming.start = naming.end = 0;
        }
        root->holder = root_name(&naming, root);
    }
    return holders->texts.error != 0 || holders->entries.error != 0 ? -ENOMEM : 0;
}

void probe_holders_release(struct holders *holders)
{
    buffer_release(&holders->texts);
    buffer_release(&holders->entries);
    probe_table_release(&holders->index);
    *holders = (struct holders){.count = 0};
}
